package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// configuration is of a cluster that is one monitor and one OSD. Keeping one
// copy of everything has to be allowed, and for tests sessions may be short.
const configuration = `[global]
fsid = $FSID
mon host = [v2:127.0.0.1:$MON]
public addr = 127.0.0.1
cluster addr = 127.0.0.1
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
keyring = $DIR/keyring
run dir = $DIR
admin socket = $DIR/$name.asok
log file = $DIR/$name.log
crash dir = $DIR/crash
mon data = $DIR/mon
osd data = $DIR/osd
rgw data = $DIR/rgw
osd objectstore = bluestore
bluestore block size = 17179869184
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd crush chooseleaf type = 0
mon allow pool size one = true
rgw dynamic resharding = false
rgw s3 auth use sts = true
rgw sts key = abcdefghijklmnop
rgw sts min session duration = 1
rgw crypt require ssl = false
rgw crypt s3 kms backend = testing
rgw crypt s3 kms encryption keys = own=MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=
`

const (
	cephUser   = "chunksign"
	cephKey    = "CONFORMANCE"
	cephSecret = "conformance-secret"
)

// ceph starts monitor, OSD and radosgw.
func ceph(ctx context.Context, dir string) (*engine, error) {
	for _, program := range []string{"ceph-mon", "ceph-osd", "ceph", "radosgw", "radosgw-admin"} {
		if _, err := exec.LookPath(program); err != nil {
			return nil, fmt.Errorf("%w; apt-get install ceph-mon ceph-osd ceph-common radosgw", err)
		}
	}
	ports, err := freePorts(3)
	if err != nil {
		return nil, err
	}
	conf, fsid := filepath.Join(dir, "ceph.conf"), uuid()
	text := strings.NewReplacer("$FSID", fsid, "$MON", fmt.Sprint(ports[0]), "$DIR", dir).Replace(configuration)
	endpoint := fmt.Sprintf("http://127.0.0.1:%d", ports[1])
	daemon := func(name string, args ...string) *node {
		return &node{name: name, log: filepath.Join(dir, name+".out"), args: append([]string{name, "-c", conf, "-f"}, args...)}
	}
	mon, osd := daemon("ceph-mon", "-i", "a"), daemon("ceph-osd", "-i", "0")
	// Whoever holds a session may ask radosgw's STS for another, without a policy:
	// the gateway that pages reach serves S3 only, and the server has one of its own.
	gateway := daemon("radosgw", "-n", "client.rgw", "--rgw-enable-apis", "s3", "--rgw-frontends", fmt.Sprintf("beast endpoint=127.0.0.1:%d", ports[1]))
	inner := daemon("radosgw", "-n", "client.rgw", "--rgw-frontends", fmt.Sprintf("beast endpoint=127.0.0.1:%d", ports[2]))
	inner.log = filepath.Join(dir, "radosgw-sts.out")
	gateway.ready, inner.ready = endpoint, fmt.Sprintf("http://127.0.0.1:%d", ports[2])
	e := &engine{nodes: []*node{gateway}, behind: []*node{inner, osd, mon}, env: map[string]string{
		"CHUNKSIGN_S3_ENDPOINT": endpoint, "CHUNKSIGN_STS_ENDPOINT": inner.ready, "CHUNKSIGN_S3_REGION": "us-east-1",
		"CHUNKSIGN_S3_ACCESS_KEY": cephKey, "CHUNKSIGN_S3_SECRET_KEY": cephSecret, "CHUNKSIGN_S3_ROLE_ARN": "arn:aws:iam:::role/uploads",
	}}

	s := steps{ctx: ctx, dir: dir, conf: conf}
	s.do(os.WriteFile(conf, []byte(text), 0o600))
	for _, folder := range []string{"mon", "osd", "rgw", "crash"} {
		s.do(os.Mkdir(filepath.Join(dir, folder), 0o700))
	}
	s.run("ceph-authtool", "--create-keyring", "keyring", "--gen-key", "-n", "mon.", "--cap", "mon", "allow *")
	s.run("ceph-authtool", "keyring", "--gen-key", "-n", "client.admin", "--cap", "mon", "allow *", "--cap", "osd", "allow *")
	s.run("ceph-authtool", "keyring", "--gen-key", "-n", "osd.0", "--cap", "mon", "allow profile osd", "--cap", "osd", "allow *")
	s.run("ceph-authtool", "keyring", "--gen-key", "-n", "client.rgw", "--cap", "mon", "allow rw", "--cap", "osd", "allow rwx")
	s.run("monmaptool", "--create", "--addv", "a", fmt.Sprintf("[v2:127.0.0.1:%d]", ports[0]), "--fsid", fsid, "monmap")
	s.run("ceph-mon", "--mkfs", "-i", "a", "--monmap", "monmap", "--keyring", "keyring")
	s.start(mon)
	disk := uuid()
	s.run("ceph", "osd", "new", disk)
	s.run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", disk)
	s.start(osd)
	s.start(inner) // which waits for the OSD
	s.start(gateway)
	s.run("radosgw-admin", "user", "create", "--uid", cephUser, "--display-name", cephUser, "--access-key", cephKey, "--secret", cephSecret)
	s.run("radosgw-admin", "role", "create", "--role-name", "uploads", "--assume-role-policy-doc",
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":["arn:aws:iam:::user/`+cephUser+`"]},"Action":["sts:AssumeRole"]}]}`)
	s.run("radosgw-admin", "role-policy", "put", "--role-name", "uploads", "--policy-name", "all", "--policy-doc",
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:*"],"Resource":"arn:aws:s3:::*"}]}`)
	if s.err == nil {
		s.do(errors.Join(gateway.serves(ctx), inner.serves(ctx)))
	}
	return e, s.err
}

// steps are taken one after the other, up to the first that fails.
type steps struct {
	ctx       context.Context
	dir, conf string
	err       error
}

func (s *steps) do(err error) {
	if s.err == nil {
		s.err = err
	}
}

func (s *steps) start(n *node) {
	if s.err == nil {
		s.err = n.start()
	}
}

func (s *steps) run(program string, args ...string) {
	if s.err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(s.ctx, 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir, cmd.Env = s.dir, append(os.Environ(), "CEPH_CONF="+s.conf)
	if out, err := cmd.CombinedOutput(); err != nil {
		s.err = fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), errors.Join(err, ctx.Err()), out)
	}
}

// uuid is random (RFC 9562, version 4).
func uuid() string {
	var b [16]byte
	rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
