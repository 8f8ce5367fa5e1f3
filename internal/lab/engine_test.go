package lab_test

import (
	"context"
	"io"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"rollcall/internal/lab"
)

func startEngine(t *testing.T, dir string) *lab.Engine {
	t.Helper()
	e, err := lab.StartEngine(t.Context(), lab.EngineOptions{Dir: dir})
	require.NoError(t, err)
	t.Cleanup(e.Kill)
	return e
}

func dial(t *testing.T, e *lab.Engine) client.Client {
	t.Helper()
	c, err := client.DialContext(t.Context(), client.Options{
		HostPort: e.Address(),
		Logger:   sdklog.NewStructuredLogger(slog.New(slog.NewTextHandler(io.Discard, nil))),
	})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

// awaitGo waits for the signal "go" and returns what it carried.
func awaitGo(ctx workflow.Context) (string, error) {
	var word string
	workflow.GetSignalChannel(ctx, "go").Receive(ctx, &word)
	return word, nil
}

func TestEngineGoesOnWithItsWorkflowsAfterAKillAtTheSameAddress(t *testing.T) {
	e := startEngine(t, t.TempDir())
	address := e.Address()
	c := dial(t, e)
	w := worker.New(c, "lab", worker.Options{})
	w.RegisterWorkflowWithOptions(awaitGo, workflow.RegisterOptions{Name: "awaitGo"})
	require.NoError(t, w.Start())
	t.Cleanup(w.Stop)

	device := temporal.NewSearchAttributeKeyKeyword("RollcallDevice")
	campaign := temporal.NewSearchAttributeKeyKeyword("RollcallCampaign")
	run, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{
		ID: "campaign/esg-01", TaskQueue: "lab",
		TypedSearchAttributes: temporal.NewSearchAttributes(device.ValueSet("esg-01"), campaign.ValueSet("c-1")),
	}, "awaitGo")
	require.NoError(t, err)

	e.Kill()
	require.NoError(t, e.Restart(t.Context()))
	require.Equal(t, address, e.Address())

	// The client that was there before the kill reconnects by itself.
	require.Eventually(t, func() bool {
		return c.SignalWorkflow(t.Context(), run.GetID(), run.GetRunID(), "go", "after the kill") == nil
	}, time.Minute, 50*time.Millisecond)
	var said string
	require.NoError(t, run.Get(t.Context(), &said))
	require.Equal(t, "after the kill", said)

	require.Eventually(t, func() bool {
		list, err := c.ListWorkflow(t.Context(), &workflowservice.ListWorkflowExecutionsRequest{
			Query: "RollcallDevice = 'esg-01' AND RollcallCampaign = 'c-1'",
		})
		return err == nil && len(list.Executions) == 1
	}, time.Minute, 50*time.Millisecond)
}

func TestEngineKeepsClosedWorkflowsForThirtyDays(t *testing.T) {
	c := dial(t, startEngine(t, t.TempDir()))
	ns, err := c.WorkflowService().DescribeNamespace(t.Context(), &workflowservice.DescribeNamespaceRequest{Namespace: "default"})
	require.NoError(t, err)
	require.Equal(t, 30*24*time.Hour, ns.Config.WorkflowExecutionRetentionTtl.AsDuration())
}

func TestSecondEngineInADirectoryIsRefusedAndLeavesTheFirstAlone(t *testing.T) {
	dir := t.TempDir()
	first := startEngine(t, dir)
	_, err := lab.StartEngine(t.Context(), lab.EngineOptions{Dir: dir})
	require.ErrorContains(t, err, "another engine already runs in "+dir)
	dial(t, first)
	require.FileExists(t, dir+"/engine.json")
}

func TestEngineRefusesADatabaseThatItDidNotMake(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(dir+"/temporal.db", []byte("this is not a SQLite file, but longer than a header of one hundred bytes, which is what SQLite reads first of all"), 0o600))
	_, err := lab.StartEngine(t.Context(), lab.EngineOptions{Dir: dir})
	require.ErrorContains(t, err, "temporal.db")
}

func TestEngineStopsOnRequest(t *testing.T) {
	dir := t.TempDir()
	e := startEngine(t, dir)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	require.NoError(t, e.Stop(ctx))
	require.NoFileExists(t, dir+"/engine.json")
}
