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
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "rollcall_build_info", Help: "1, with the build as labels.",
		ConstLabels: prometheus.Labels{"version": version.Current().Version, "commit": version.Current().Commit},
	})
	build.Set(1)
	m.registry.MustRegister(m.dead, m.open, m.findings, build, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
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

// Serve answers /metrics at address (host:port; :0 takes a free port) until
// stop is called. It returns where it listens. It speaks HTTP without a login,
// as Prometheus's own exporters do: listen on loopback, or on a network that
// only the metrics server reaches.
func (m *Metrics) Serve(address string) (at string, stop func(), err error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return "", nil, fmt.Errorf("serving metrics: %w; name another address with --metrics", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{}))
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
