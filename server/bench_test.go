package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// BenchmarkGrant measures requests for a grant whose session is cached, without the network.
func BenchmarkGrant(b *testing.B) {
	m := &Main{Listen: "127.0.0.1:0", Data: b.TempDir(), Getenv: nothingSet, Stdout: io.Discard, Stderr: io.Discard, Web: testFiles}
	if err := m.Run(context.Background()); err != nil {
		b.Fatal(err)
	}
	defer m.Close()
	host := strings.TrimSuffix(strings.TrimPrefix(m.URL, "http://"), "/")
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			r := httptest.NewRequest("POST", "/v1/destinations/demo-s3direct/uploads", strings.NewReader(`{"name":"holiday.jpg","type":"image/jpeg","size":1000}`))
			r.Host = host
			r.Header.Set("Content-Type", "application/json")
			w := httptest.NewRecorder()
			m.server.Handler.ServeHTTP(w, r)
			if w.Code != http.StatusCreated {
				b.Fatal(w.Code, w.Body)
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "grants/s")
}
