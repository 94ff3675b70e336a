package observe

import (
	"cmp"
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/chunksign/chunksign/server/destination"
)

// Metrics are the server's numbers, in Prometheus's words.
//
//	chunksign_decisions_total        what, destination, outcome
//	chunksign_http_requests_total    route, method, status
//	chunksign_http_request_seconds   route
//	chunksign_sessions_seconds       store, outcome: obtaining a session, from the cache too
//	chunksign_store_seconds          store, what, outcome: looking at objects and removing them
//	chunksign_webhook_seconds        destination, outcome: telling applications of finished uploads
//	chunksign_configuration_reads_total  outcome: yes or refused, of a file read again
//
// and those of Go's runtime and of the process (go_…, process_…).
type Metrics struct {
	registry  *prometheus.Registry
	decisions *prometheus.CounterVec
	requests  *prometheus.CounterVec
	took      *prometheus.HistogramVec
	sessions  *prometheus.HistogramVec
	store     *prometheus.HistogramVec
	webhook   *prometheus.HistogramVec
	reads     *prometheus.CounterVec
	now       func() time.Time
}

// seconds are the histograms' limits: from a cached session to a store's timeout.
var seconds = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 20}

// NewMetrics makes Metrics with a registry of their own.
func NewMetrics(now func() time.Time) *Metrics {
	m := &Metrics{
		registry:  prometheus.NewRegistry(),
		decisions: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "chunksign_decisions_total", Help: "Grants, renewals, completions and links asked for, and sign-ins refused."}, []string{"what", "destination", "outcome"}),
		requests:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "chunksign_http_requests_total", Help: "HTTP requests answered."}, []string{"route", "method", "status"}),
		took:      prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "chunksign_http_request_seconds", Help: "Time to answer an HTTP request.", Buckets: seconds}, []string{"route"}),
		sessions:  prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "chunksign_sessions_seconds", Help: "Time to obtain session credentials, from the cache or from STS.", Buckets: seconds}, []string{"store", "outcome"}),
		store:     prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "chunksign_store_seconds", Help: "Time of the server's own calls of the store.", Buckets: seconds}, []string{"store", "what", "outcome"}),
		webhook:   prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "chunksign_webhook_seconds", Help: "Time of telling an application of a finished upload.", Buckets: seconds}, []string{"destination", "outcome"}),
		reads:     prometheus.NewCounterVec(prometheus.CounterOpts{Name: "chunksign_configuration_reads_total", Help: "Times that the configuration was read again while the server ran."}, []string{"outcome"}),
		now:       now,
	}
	m.registry.MustRegister(m.reads, m.decisions, m.requests, m.took, m.sessions, m.store, m.webhook,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Handler answers the numbers in Prometheus's format.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// Decided counts a decision; it is a destination.Auditor.
func (m *Metrics) Decided(_ context.Context, d destination.Decision) {
	m.decisions.WithLabelValues(d.What, cmp.Or(d.Destination, "none"), string(d.Outcome)).Inc()
}

// Reread counts that the configuration was read again, and used or refused.
func (m *Metrics) Reread(used bool) {
	outcome := "refused"
	if used {
		outcome = destination.Yes
	}
	m.reads.WithLabelValues(outcome).Inc()
}

// Request counts an answered request. A method that no route takes is "other".
func (m *Metrics) Request(route, name string, status int, took time.Duration) {
	m.requests.WithLabelValues(route, method(name), strconv.Itoa(status)).Inc()
	m.took.WithLabelValues(route).Observe(took.Seconds())
}

// method is a request's, as far as any route takes it.
func method(name string) string {
	switch name {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodOptions:
		return name
	}
	return "other"
}

// Sessions measures an issuer.
func (m *Metrics) Sessions(issuer destination.SessionIssuer) destination.SessionIssuer {
	return measuredIssuer{m, issuer}
}

type measuredIssuer struct {
	m *Metrics
	destination.SessionIssuer
}

func (i measuredIssuer) Issue(ctx context.Context, r destination.SessionRequest) (destination.Session, error) {
	began := i.m.now()
	session, err := i.SessionIssuer.Issue(ctx, r)
	i.m.sessions.WithLabelValues(r.Store.Name, outcome(err)).Observe(i.m.now().Sub(began).Seconds())
	return session, err
}

// Objects measures a looker.
func (m *Metrics) Objects(looker destination.ObjectLooker) destination.ObjectLooker {
	return measuredLooker{m, looker}
}

type measuredLooker struct {
	m *Metrics
	destination.ObjectLooker
}

func (l measuredLooker) Look(ctx context.Context, s *destination.Store, bucket, key string) (*destination.Object, error) {
	began := l.m.now()
	o, err := l.ObjectLooker.Look(ctx, s, bucket, key)
	l.m.store.WithLabelValues(s.Name, "look", outcome(err)).Observe(l.m.now().Sub(began).Seconds())
	return o, err
}

func (l measuredLooker) Remove(ctx context.Context, s *destination.Store, bucket, key string, o *destination.Object) (bool, error) {
	began := l.m.now()
	removed, err := l.ObjectLooker.Remove(ctx, s, bucket, key, o)
	l.m.store.WithLabelValues(s.Name, "remove", outcome(err)).Observe(l.m.now().Sub(began).Seconds())
	return removed, err
}

// Hooks measures a notifier.
func (m *Metrics) Hooks(notifier destination.Notifier) destination.Notifier {
	return measuredNotifier{m, notifier}
}

type measuredNotifier struct {
	m *Metrics
	destination.Notifier
}

func (n measuredNotifier) Notify(ctx context.Context, w *destination.Webhook, f destination.Finished) error {
	began := n.m.now()
	err := n.Notifier.Notify(ctx, w, f)
	n.m.webhook.WithLabelValues(f.Destination, outcome(err)).Observe(n.m.now().Sub(began).Seconds())
	return err
}

func outcome(err error) string {
	if err == nil {
		return destination.Yes
	}
	return string(destination.OutcomeOf(err))
}
