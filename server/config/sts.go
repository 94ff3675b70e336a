package config

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"

	"go.yaml.in/yaml/v3"

	"github.com/chunksign/chunksign/server/destination"
)

// sessions reads what sessions of a store are beside their role.
func (d *document) sessions(o *object, s *store) {
	if s.STS.Region = o.text("region"); s.STS.Region != "" && !region.MatchString(s.STS.Region) {
		o.mistake("region", "region is %q; write a region's name, such as eu-west-1", s.STS.Region)
	}
	s.STS.SourceIdentity = o.flag("source_identity")
	s.STS.Trusted = s.AWS()
	if o.fields["trusted"] != nil {
		s.STS.Trusted = o.flag("trusted")
	}
	if n := o.fields["via"]; n != nil {
		v := d.object(n, "via", &viaOptions)
		s.STS.Via = destination.VerifyRole{RoleARN: v.role("role_arn"), ExternalID: v.text("external_id")}
		if v.fields["role_arn"] == nil {
			v.required("role_arn", `"arn:aws:iam::210987654321:role/gateway"`)
		}
	}
	values, names := o.texts("tags")
	for _, name := range names {
		t, err := destination.ParseSessionTag(name, values[name])
		if err != nil {
			o.mistake("tags", "%v", err)
		}
		s.STS.Tags = append(s.STS.Tags, t)
	}
	if len(names) > 50 {
		o.mistake("tags", "there are %d tags; write 50 at most, which is what STS takes", len(names))
	}
	d.chaining(o.at("duration"), s, s.duration > destination.MaxChained)
}

// chaining speaks of a session that is longer than one may be whose role is
// assumed by a role.
func (d *document) chaining(n *yaml.Node, s *store, long bool) {
	switch {
	case !long || !s.AWS():
	case s.STS.Via.RoleARN != "":
		d.mistake(n, "duration is over 1h, which AWS refuses where a role assumes the role, as via does; write 1h or less")
	default:
		d.warn(n, "duration is over 1h: AWS gives such sessions only where the server's own credentials are a user's and no role's (role chaining), as those of an instance or a task are, and where the role's MaxSessionDuration allows it; chunksign doctor tries it")
	}
}

// client is who calls a store whose authority this machine does not know, nil
// for the usual one.
func (d *document) client(o *object, name string) *http.Client {
	file := o.text(name)
	if file == "" {
		return nil
	}
	roots := x509.NewCertPool()
	switch data, err := d.open(file); {
	case err != nil:
		o.mistake(name, "%s %q cannot be used: %v; name a file of PEM certificates", name, file, err)
	case !roots.AppendCertsFromPEM(data):
		o.mistake(name, "%s %q holds no certificate; name a file of PEM certificates", name, file)
	}
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.TLSClientConfig = &tls.Config{RootCAs: roots}
	// A redirect would be signed for another host.
	return &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}
