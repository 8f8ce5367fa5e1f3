// Package engine reaches the Temporal server: the configured one, or
// rollcall-engine, which it starts beside itself.
package engine

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"google.golang.org/protobuf/types/known/timestamppb"

	"log/slog"

	"rollcall/internal/awaited"
	"rollcall/internal/credential"
)

// Options say how to connect.
type Options struct {
	StateDir   string            // where the local engine keeps its database
	Device     string            // for which a local engine is started
	PayloadKey credential.Secret // see Converters; zero means payloads are not sealed
	Logger     *slog.Logger
	Metrics    client.MetricsHandler // where the SDK counts; nil: nowhere
	// MayStart allows starting the local engine. Without it a local engine
	// must be running.
	MayStart bool
	// Starting is called when this process is about to start a local engine,
	// which takes a moment. Nil: nobody waits for that.
	Starting func()
}

// Engine is a connection to Temporal.
type Engine struct {
	client.Client
	Address string
	// Local: no Temporal is configured, this is rollcall-engine on loopback.
	Local bool
	// Started: this process started it and is the one to work and to stop it.
	Started bool
	// For is the device of the run that works on a local engine which this
	// process has joined; empty if it does not say.
	For string

	namespace string
	failures  converter.FailureConverter
	data      converter.DataConverter
	gone      <-chan struct{}
	stop      func() error
}

// Searchable reports whether the cluster has the keywords RollcallDevice and
// RollcallCampaign as search attributes. A cluster that does not tell counts as
// one that has not.
func (e *Engine) Searchable(ctx context.Context) bool {
	known, err := e.OperatorService().ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: e.namespace})
	if err != nil {
		return false
	}
	for _, name := range []string{"RollcallDevice", "RollcallCampaign"} {
		if known.CustomAttributes[name] != enumspb.INDEXED_VALUE_TYPE_KEYWORD {
			return false
		}
	}
	return true
}

// Gone is closed when the engine that this process started has ended by
// itself. It is nil, and so never ready, when this process started none.
func (e *Engine) Gone() <-chan struct{} { return e.gone }

// Connect dials the Temporal that TEMPORAL_* or temporal.toml configure, TLS
// included. If neither names an address, it finds the local engine of this
// state directory or, if allowed, starts it. The engine keeps its
// database, so whatever was running continues.
func Connect(ctx context.Context, o Options) (*Engine, error) {
	opts, err := envconfig.LoadClientOptions(envconfig.LoadClientOptionsRequest{ConfigFileStrict: true})
	if err != nil {
		return nil, fmt.Errorf("reading the Temporal settings (TEMPORAL_* variables, temporal.toml): %w", err)
	}
	data, _, err := Converters(o.PayloadKey)
	if err != nil {
		return nil, err
	}
	e := &Engine{Address: opts.HostPort, namespace: cmp.Or(opts.Namespace, client.DefaultNamespace), stop: func() error { return nil }}
	if opts.HostPort == "" {
		local, err := findOrStart(ctx, o)
		if err != nil {
			return nil, err
		}
		e.Local, e.Started, e.For, e.Address, e.gone, e.stop = true, local.started, local.device, local.address, local.gone, local.stop
		opts.HostPort = local.address
	}
	opts.DataConverter, e.data = data, data
	// Payloads are compressed already, and sealed ones cannot be.
	opts.ConnectionOptions.GrpcCompression = &client.GrpcCompressionNone{}
	e.failures = temporal.NewDefaultFailureConverter(temporal.DefaultFailureConverterOptions{
		DataConverter: data, EncodeCommonAttributes: true,
	})
	opts.FailureConverter = e.failures
	opts.Logger = log.NewStructuredLogger(o.Logger)
	opts.MetricsHandler = o.Metrics
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	if e.Client, err = client.DialContext(ctx, opts); err != nil {
		_ = e.stop()
		return nil, fmt.Errorf("connecting to Temporal at %s: %w; %s", e.Address, err, whoseAddress())
	}
	return e, nil
}

// whoseAddress says what to check of the Temporal settings, by where they come
// from. A file of another program's is read as well, and whoever has one may
// not know.
func whoseAddress() string {
	if os.Getenv("TEMPORAL_ADDRESS") != "" {
		return "check TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE and the TLS settings"
	}
	return fmt.Sprintf("that address is from %s (profile %s); correct it there, name another profile (TEMPORAL_PROFILE), or set TEMPORAL_CONFIG_FILE to an empty file: with no Temporal configured, `rollcall run` starts an engine on this machine",
		cmp.Or(os.Getenv("TEMPORAL_CONFIG_FILE"), envconfig.DefaultConfigFilePath()), cmp.Or(os.Getenv("TEMPORAL_PROFILE"), "default"))
}

// Failing says what keeps a workflow and its children from going on: the last
// error of an activity that is tried again, if there is one, and how often it
// was tried. over says of an error that it is past once a worker has taken the
// activity up again, as that its last worker ended.
func (e *Engine) Failing(ctx context.Context, workflow string, over func(error) bool) (tries int, why error) {
	d, described := e.DescribeWorkflowExecution(ctx, workflow, "")
	if described != nil {
		return 0, nil
	}
	for _, a := range d.PendingActivities {
		if a.GetAttempt() <= 1 || a.GetLastFailure() == nil {
			continue
		}
		why := e.failures.FailureToError(a.LastFailure)
		if a.State == enumspb.PENDING_ACTIVITY_STATE_STARTED && over(why) {
			continue
		}
		return int(a.Attempt), why
	}
	for _, child := range d.PendingChildren {
		if tries, why = e.Failing(ctx, child.WorkflowId, over); why != nil {
			return tries, why
		}
	}
	return 0, nil
}

// Untaken is since when something that a workflow, or one below it, needs done
// lies there and no worker has taken it up; zero where nothing does. Temporal
// goes on to show a worker that was killed as one that asks for work.
func (e *Engine) Untaken(ctx context.Context, workflow string) (since time.Time) {
	d, err := e.DescribeWorkflowExecution(ctx, workflow, "")
	if err != nil {
		return since
	}
	lies := func(at *timestamppb.Timestamp) {
		if t := at.AsTime(); at != nil && (since.IsZero() || t.Before(since)) {
			since = t
		}
	}
	if task := d.PendingWorkflowTask; task.GetState() == enumspb.PENDING_WORKFLOW_TASK_STATE_SCHEDULED {
		lies(task.ScheduledTime)
	}
	for _, a := range d.PendingActivities {
		if a.State == enumspb.PENDING_ACTIVITY_STATE_SCHEDULED {
			lies(a.ScheduledTime)
		}
	}
	for _, child := range d.PendingChildren {
		if at := e.Untaken(ctx, child.WorkflowId); !at.IsZero() && (since.IsZero() || at.Before(since)) {
			since = at
		}
	}
	return since
}

// Awaited are the servers that were asked by workers at work on a workflow, or
// one below it, and have not answered, the longest silent first: a heartbeat
// names them.
func (e *Engine) Awaited(ctx context.Context, workflow string) (out []awaited.Server) {
	d, err := e.DescribeWorkflowExecution(ctx, workflow, "")
	if err != nil {
		return nil
	}
	for _, a := range d.PendingActivities {
		var silent []awaited.Server
		if a.State == enumspb.PENDING_ACTIVITY_STATE_STARTED && a.HeartbeatDetails != nil && e.data.FromPayloads(a.HeartbeatDetails, &silent) == nil {
			out = append(out, silent...)
		}
	}
	for _, child := range d.PendingChildren {
		out = append(out, e.Awaited(ctx, child.WorkflowId)...)
	}
	return awaited.Merge(out)
}

// Stop closes the connection, and stops the engine if this process started it.
func (e *Engine) Stop() error {
	e.Client.Close()
	return e.stop()
}
