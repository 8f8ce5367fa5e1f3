// Package metrics offers Rollcall's own counters and those of Temporal's SDK to
// Prometheus. Nothing of it is on unless a command is told an address to serve
// them at.
package metrics

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/opentelemetry"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
	"rollcall/internal/version"
)

// Metrics counts what one process does. A nil *Metrics counts nothing, so that
// whoever counts need not ask whether somebody listens. No label holds a name
// of an account, a server or a path: a metrics server is read by more people
// than a ledger.
type Metrics struct {
	registry *prometheus.Registry
	sdk      *sdkmetric.MeterProvider

	dead     *prometheus.CounterVec
	open     *prometheus.CounterVec
	findings *prometheus.CounterVec
	told     *prometheus.CounterVec
	watches  watches

	mu     sync.Mutex
	checks []check
	ready  bool
}

// check is one thing without which the process is of no use.
type check struct {
	name string
	look func(ctx context.Context) error
}

// New makes the counters, all at zero.
func New() (*Metrics, error) {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		dead: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "rollcall_credentials_dead_total", Help: "Credentials whose stolen value this worker proved dead.",
		}, []string{"kind"}),
		open: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "rollcall_credential_passes_open_total", Help: "Passes of this worker that left a credential open, by step and reason. A credential may be open in many passes.",
		}, []string{"kind", "step", "reason"}),
		findings: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "rollcall_findings_total", Help: "Findings of this worker's passes, by code.",
		}, []string{"code"}),
		told: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "rollcall_notifications_total", Help: "Tries of this ledger worker to tell a receiver, by event and by whether it took it.",
		}, []string{"event", "result"}),
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "rollcall_build_info", Help: "1, with the build as labels.",
		ConstLabels: prometheus.Labels{"version": version.Current().Version, "commit": version.Current().Commit},
	})
	build.Set(1)
	m.registry.MustRegister(m.dead, m.open, m.findings, m.told, build, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.watches = newWatches(m.registry)
	exporter, err := otelprometheus.New(otelprometheus.WithRegisterer(m.registry))
	if err != nil {
		return nil, err
	}
	// The SDK times in seconds, and OpenTelemetry's own buckets begin at 5.
	times := sdkmetric.NewView(sdkmetric.Instrument{Kind: sdkmetric.InstrumentKindHistogram},
		sdkmetric.Stream{Aggregation: sdkmetric.AggregationExplicitBucketHistogram{Boundaries: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300}}})
	m.sdk = sdkmetric.NewMeterProvider(sdkmetric.WithReader(exporter), sdkmetric.WithView(times))
	return m, nil
}

// Temporal is where Temporal's SDK counts
// (https://docs.temporal.io/references/sdk-metrics); nil if nothing does. Its
// counters are gauges unless it is asked otherwise, and rate() takes no gauge.
func (m *Metrics) Temporal() client.MetricsHandler {
	if m == nil {
		return nil
	}
	return opentelemetry.NewMetricsHandler(opentelemetry.MetricsHandlerOptions{
		Meter: m.sdk.Meter("temporal-sdk"), UseMonotonicCounters: true,
		OnError: func(error) {}, // the default ends the process; a figure that is missing must not
	})
}

// Dead counts a credential whose stolen value was proved dead.
func (m *Metrics) Dead(k credential.Kind) {
	if m != nil {
		m.dead.WithLabelValues(string(k)).Inc()
	}
}

// Open counts a pass that left a credential open.
func (m *Metrics) Open(k credential.Kind, step protocol.Step, why protocol.Reason) {
	if m != nil {
		m.open.WithLabelValues(string(k), string(step), string(why)).Inc()
	}
}

// Found counts findings of a pass.
func (m *Metrics) Found(findings []credential.Finding) {
	if m == nil {
		return
	}
	for _, f := range findings {
		m.findings.WithLabelValues(string(f.Code)).Inc()
	}
}

// Check adds something that /healthz looks at; its error says no name of an
// account and no value. Ready says that all of them were added: until then the
// process is starting.
func (m *Metrics) Check(name string, look func(ctx context.Context) error) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.checks = append(m.checks, check{name, look})
}

// Ready: see Check.
func (m *Metrics) Ready() {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ready = true
}

// healthLongest bounds one answer: probes give up after a while themselves.
const healthLongest = 5 * time.Second

// health answers 200 and "ok", or 503 and what is wrong, a line each.
func (m *Metrics) health(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	checks, ready := slices.Clone(m.checks), m.ready
	m.mu.Unlock()
	ctx, cancel := context.WithTimeout(r.Context(), healthLongest)
	defer cancel()
	var wrong []string
	if !ready {
		wrong = append(wrong, "starting")
	}
	for _, c := range checks {
		if err := c.look(ctx); err != nil {
			wrong = append(wrong, c.name+": "+err.Error())
		}
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	if len(wrong) > 0 {
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprintln(w, strings.Join(wrong, "\n"))
		return
	}
	fmt.Fprintln(w, "ok")
}

// Told counts a try to tell a receiver what happened.
func (m *Metrics) Told(event string, ok bool) {
	if m == nil {
		return
	}
	result := "failed"
	if ok {
		result = "sent"
	}
	m.told.WithLabelValues(event, result).Inc()
}

// Serve answers /metrics and /healthz at address (host:port; :0 takes a free
// port) until stop is called. It returns where it listens. It speaks HTTP
// without a login, as Prometheus's own exporters do: listen on loopback, or on
// a network that only the metrics server reaches.
func (m *Metrics) Serve(address string) (at string, stop func(), err error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return "", nil, fmt.Errorf("serving metrics: %w; name another address with --metrics", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", m.health)
	s := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			_ = l.Close()
		}
	}()
	return l.Addr().String(), func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = s.Shutdown(ctx)
		<-ended
		_ = m.sdk.Shutdown(ctx)
	}, nil
}
