package observe

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chunksign/chunksign/server/destination"
)

func TestAuditLines(t *testing.T) {
	for name, c := range map[string]struct {
		d    destination.Decision
		want map[string]any
	}{
		"a grant": {
			destination.Decision{What: "grant", Principal: destination.Principal{ID: "alice", Claims: map[string]any{"secret": "hunter2"}, Via: destination.Request{ID: "r1", Address: "192.0.2.1"}}, Destination: "photos", Key: "a/b", Size: 7, GrantID: "g1", Session: "alice", Outcome: destination.Yes},
			map[string]any{"level": "INFO", "msg": "audit", "what": "grant", "outcome": "yes", "principal": "alice", "destination": "photos", "requestId": "r1", "remote": "192.0.2.1", "key": "a/b", "size": 7.0, "grant": "g1", "session": "alice"},
		},
		"a sign-in": {
			destination.Decision{What: "sign_in", Outcome: destination.Unauthenticated},
			map[string]any{"level": "WARN", "msg": "audit", "what": "sign_in", "outcome": "unauthenticated", "principal": "", "destination": "", "requestId": "", "remote": ""},
		},
	} {
		var log bytes.Buffer
		Audit(slog.New(slog.NewJSONHandler(&log, nil)))(context.Background(), c.d)
		var got map[string]any
		if err := json.Unmarshal(log.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		delete(got, "time")
		if fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%s:\n got %v\nwant %v", name, got, c.want)
		}
	}
}

func numbers(t *testing.T, m *Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	return w.Body.String()
}

type store struct{ err error }

func (s store) Look(context.Context, *destination.Store, string, string) (*destination.Object, error) {
	return nil, s.err
}

func (s store) Remove(context.Context, *destination.Store, string, string, *destination.Object) (bool, error) {
	return false, s.err
}

func (s store) Issue(context.Context, destination.SessionRequest) (destination.Session, error) {
	return destination.Session{AccessKeyID: "ASIA"}, s.err
}

func (s store) Notify(context.Context, *destination.Webhook, destination.Finished) error {
	return s.err
}

func TestNumbers(t *testing.T) {
	at := time.Now()
	m := NewMetrics(func() time.Time { at = at.Add(30 * time.Millisecond); return at })
	ctx, s := context.Background(), &destination.Store{Name: "media"}
	m.Decided(ctx, destination.Decision{What: "grant", Destination: "photos", Outcome: destination.Yes})
	m.Decided(ctx, destination.Decision{What: "grant", Outcome: destination.DestinationUnknown})
	m.Request("/v1/destinations", "GET", 200, 3*time.Millisecond)
	for _, err := range []error{nil, &destination.Error{Code: destination.StoreUnavailable}, errors.New("hunter2")} {
		if got, e := m.Sessions(store{err}).Issue(ctx, destination.SessionRequest{Store: s}); e != err || got.AccessKeyID != "ASIA" {
			t.Errorf("%v, %v", got, e)
		}
		m.Hooks(store{err}).Notify(ctx, nil, destination.Finished{Destination: "photos"})
		m.Objects(store{err}).Look(ctx, s, "b", "k")
		m.Objects(store{err}).Remove(ctx, s, "b", "k", nil)
	}
	text := numbers(t, m)
	for _, line := range []string{
		`chunksign_decisions_total{destination="photos",outcome="yes",what="grant"} 1`,
		`chunksign_decisions_total{destination="none",outcome="destination_unknown",what="grant"} 1`,
		`chunksign_http_requests_total{method="GET",route="/v1/destinations",status="200"} 1`,
		`chunksign_http_request_seconds_bucket{route="/v1/destinations",le="0.0025"} 0`,
		`chunksign_http_request_seconds_bucket{route="/v1/destinations",le="0.005"} 1`,
		`chunksign_sessions_seconds_bucket{outcome="yes",store="media",le="0.025"} 0`,
		`chunksign_sessions_seconds_bucket{outcome="yes",store="media",le="0.05"} 1`,
		`chunksign_sessions_seconds_count{outcome="store_unavailable",store="media"} 1`,
		`chunksign_store_seconds_count{outcome="internal",store="media",what="look"} 1`,
		`chunksign_store_seconds_count{outcome="yes",store="media",what="remove"} 1`,
		`chunksign_webhook_seconds_count{destination="photos",outcome="store_unavailable"} 1`,
		"go_goroutines ", "process_resident_memory_bytes ",
	} {
		if !strings.Contains(text, "\n"+line) {
			t.Errorf("there is no %s", line)
		}
	}
	if strings.Contains(text, "hunter2") {
		t.Error("an error's text is a label")
	}
}

func TestLabelsAreBounded(t *testing.T) {
	m := NewMetrics(time.Now)
	before := strings.Count(numbers(t, m), "\n")
	for i := range 1000 {
		m.Request("other", fmt.Sprintf("METHOD%d", i), 405, 0)
		m.Decided(context.Background(), destination.Decision{What: "grant", Principal: destination.Principal{ID: fmt.Sprint(i)}, Key: fmt.Sprint(i), Outcome: destination.DestinationUnknown})
	}
	if grown := strings.Count(numbers(t, m), "\n") - before; grown > 40 {
		t.Errorf("%d lines more after requests by strange methods and people", grown)
	}
}
