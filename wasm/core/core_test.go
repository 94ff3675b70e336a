package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/chunksign/chunksign/wasm/codec"
)

// ask sends a message as the page does and reads the answer.
func ask(t *testing.T, fill func(w *codec.Writer)) (r codec.Reader, problem string) {
	t.Helper()
	var w codec.Writer
	fill(&w)
	copy(room(int32(len(w.Buf))), w.Buf)
	n := handle(int32(len(w.Buf)))
	r = codec.Reader{Buf: bytes.Clone(out.Buf[:n])}
	if !r.Bool() {
		return r, r.Str()
	}
	return r, ""
}

func newSigner(t *testing.T) uint32 {
	r, problem := ask(t, func(w *codec.Writer) {
		w.U8(opSignerNew)
		for _, s := range []string{"AKID", "SECRET", "TOKEN", "eu-west-1", "http://127.0.0.1:9000", "b", "a key/ü.bin"} {
			w.Str(s)
		}
		w.Bool(false)
	})
	if problem != "" {
		t.Fatal(problem)
	}
	return r.U32()
}

// What signChunk answers is what the AWS SDK signs for the same request.
func TestSignChunk(t *testing.T) {
	signer := newSigner(t)
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	sum := bytes.Repeat([]byte{0xab}, 32)
	chunk := func(sum []byte) (codec.Reader, string) {
		return ask(t, func(w *codec.Writer) {
			w.U8(opSignChunk)
			w.U32(signer)
			w.I64(now.UnixMilli())
			w.Str("upload/id=")
			w.U32(7)
			w.Bytes(sum)
		})
	}
	r, problem := chunk(sum)
	if problem != "" {
		t.Fatal(problem)
	}
	url := r.Str()
	if want := "http://127.0.0.1:9000/b/a%20key/%C3%BC.bin?partNumber=7&uploadId=upload%2Fid%3D"; url != want {
		t.Errorf("url %s, want %s", url, want)
	}
	got := map[string]string{}
	for n := r.U32(); n > 0; n-- {
		name := r.Str()
		got[name] = r.Str()
	}
	req, _ := http.NewRequest("PUT", url, nil)
	req.Header.Set("x-amz-checksum-sha256", base64.StdEncoding.EncodeToString(sum))
	req.Header.Set("x-amz-content-sha256", hex.EncodeToString(sum))
	err := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }).SignHTTP(t.Context(),
		aws.Credentials{AccessKeyID: "AKID", SecretAccessKey: "SECRET", SessionToken: "TOKEN"},
		req, hex.EncodeToString(sum), "s3", "eu-west-1", now)
	if err != nil {
		t.Fatal(err)
	}
	if want := req.Header.Get("Authorization"); got["authorization"] != want {
		t.Errorf("authorization\n%s, want\n%s", got["authorization"], want)
	}

	if _, problem := chunk(sum[:31]); !strings.Contains(problem, "32 bytes") {
		t.Errorf("a short hash: %q", problem)
	}
	ask(t, func(w *codec.Writer) { w.U8(opSignerFree); w.U32(signer) })
	if _, problem := chunk(sum); problem != noSigner {
		t.Errorf("a closed signer: %q", problem)
	}
}

func TestHash(t *testing.T) {
	r, _ := ask(t, func(w *codec.Writer) { w.U8(opHashNew) })
	n := r.U32()
	for _, piece := range []string{"a", "", "bc"} {
		ask(t, func(w *codec.Writer) { w.U8(opHashWrite); w.U32(n); w.Str(piece) })
	}
	r, _ = ask(t, func(w *codec.Writer) { w.U8(opHashSum); w.U32(n) })
	// FIPS 180-2, appendix B.1.
	if got := hex.EncodeToString(r.Bytes()); got != "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" {
		t.Errorf("abc hashes to %s", got)
	}
	if _, problem := ask(t, func(w *codec.Writer) { w.U8(opHashSum); w.U32(n) }); problem == "" {
		t.Error("a hash was summed twice")
	}
}

// No message, however broken, makes the module panic: in the page that kills it.
func FuzzHandle(f *testing.F) {
	f.Add([]byte{})
	for op := range len(handlers) + 1 {
		f.Add([]byte{byte(op)})
		f.Add(append([]byte{byte(op)}, bytes.Repeat([]byte{1, 0, 0, 0}, 40)...))
		f.Add(append([]byte{byte(op)}, bytes.Repeat([]byte{0xff}, 40)...))
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		if len(message) > 0 && message[0] == opHashNew {
			return // its table grows by design
		}
		copy(room(int32(len(message))), message)
		if n := handle(int32(len(message))); n < 1 || int(n) != len(out.Buf) || out.Buf[0] > 1 {
			t.Errorf("answered %d bytes: %x", n, out.Buf)
		}
	})
}
