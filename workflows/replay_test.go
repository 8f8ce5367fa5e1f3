package workflows

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/proxy"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protopath"
	"google.golang.org/protobuf/reflect/protorange"
	"google.golang.org/protobuf/reflect/protoreflect"

	"rollcall/internal/credential"
	"rollcall/internal/engine"
	"rollcall/internal/protocol"
)

type (
	dataConverter    = converter.DataConverter
	failureConverter = converter.FailureConverter
)

// fixtures are histories of real campaigns, one file each: a line of JSON with
// the workflow's id, then the history, gzipped. See record_test.go.
const fixtures = "testdata/replay"

type fixture struct {
	name    string
	id      string
	history *historypb.History
}

func readFixtures(t *testing.T) (out []fixture) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(fixtures, "*.json.gz"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		f, err := os.Open(file)
		require.NoError(t, err)
		defer f.Close()
		z, err := gzip.NewReader(f)
		require.NoError(t, err)
		text, err := io.ReadAll(z)
		require.NoError(t, err)
		id, history, ok := bytes.Cut(text, []byte("\n"))
		require.True(t, ok)
		fx := fixture{name: strings.TrimSuffix(filepath.Base(file), ".json.gz")}
		require.NoError(t, json.Unmarshal(id, &fx.id))
		fx.history, err = client.HistoryFromJSON(bytes.NewReader(history), client.HistoryJSONOptions{})
		require.NoError(t, err)
		out = append(out, fx)
	}
	return out
}

func TestEveryRecordedHistoryReplays(t *testing.T) {
	data, failures := converters()
	for _, f := range readFixtures(t) {
		t.Run(f.name, func(t *testing.T) {
			replayer, err := worker.NewWorkflowReplayerWithOptions(worker.WorkflowReplayerOptions{
				DataConverter: data, FailureConverter: failures, DisableRegistrationAliasing: true,
				DisableDeadlockDetection: true, // a second may pass on a busy machine
			})
			require.NoError(t, err)
			Register(replayer)
			require.NoError(t, replayer.ReplayWorkflowHistoryWithOptions(quiet{}, f.history, worker.ReplayWorkflowHistoryOptions{
				OriginalExecution: workflow.Execution{ID: f.id},
			}))
		})
	}
}

// What the fixtures are worth lies in what they cover.
func TestTheRecordedHistoriesCoverWhatCampaignsDo(t *testing.T) {
	seen := map[string]bool{}
	_, codec, err := engine.Converters(credential.Secret{})
	require.NoError(t, err)
	for _, f := range readFixtures(t) {
		name := f.history.Events[0].GetWorkflowExecutionStartedEventAttributes().WorkflowType.Name
		seen[name] = true
		look := func(_ *proxy.VisitPayloadsContext, in []*commonpb.Payload) ([]*commonpb.Payload, error) {
			plain, err := codec.Decode(in)
			for _, p := range plain {
				if bytes.Contains(p.Data, []byte(protocol.ReasonDoorTakesOld)) {
					seen[name+" "+string(protocol.ReasonDoorTakesOld)] = true
				}
				seen[name+" "+changeCircle] = seen[name+" "+changeCircle] || string(p.Data) == `"`+changeCircle+`"`
			}
			return in, err
		}
		require.NoError(t, proxy.VisitPayloads(t.Context(), f.history, proxy.VisitPayloadsOptions{Visitor: look}))
		for _, e := range f.history.Events {
			switch e.EventType {
			case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED,
				enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED, enumspb.EVENT_TYPE_TIMER_FIRED:
				seen[name+" "+e.EventType.String()] = true
			case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED:
				seen[e.GetWorkflowExecutionUpdateAcceptedEventAttributes().AcceptedRequest.Input.Name] = true
			case enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
				seen[e.GetActivityTaskScheduledEventAttributes().ActivityType.Name] = true
			}
		}
	}
	for _, want := range []string{
		CampaignWorkflow, WaveWorkflow, LauncherWorkflow, TasksWorkflow,
		"Campaign WorkflowExecutionCancelRequested", "Wave WorkflowExecutionContinuedAsNew", "Wave WorkflowExecutionSignaled", "Wave TimerFired", "Wave " + changeCircle,
		"List", "RecordRoll", "Prepare", "RecordIntents", "Apply", "RecordResults", "Clean", "RecordExceptions", "RecordEvent", "CloseCampaign", "OpenScheduled",
		"OpenTasks", "RecordTasks", "LookAtTasks", "CloseTasks", "AskDevice", "WatchDevice", "AskTaskDoors", "RecordTaskDoors", "Relist", "Untouched", "Amend", "RecordTakenUp",
	} {
		require.True(t, seen[want], "no recorded history has %s: %v", want, seen)
	}
	for _, workflow := range []string{WaveWorkflow, TasksWorkflow} {
		require.True(t, seen[workflow+" "+string(protocol.ReasonDoorTakesOld)], "no recorded %s met a door that went on to take the old value", workflow)
	}
	for _, update := range updates(t) {
		require.True(t, seen[update], "%s: give it a scene in record_test.go, and record that one (-record -scene NAME)", update)
	}
}

// updates are all that a campaign takes, from names.go.
func updates(t *testing.T) (names []string) {
	text, err := os.ReadFile("names.go")
	require.NoError(t, err)
	for _, m := range regexp.MustCompile(`(?m)^\tUpdate\w+\s*= "([^"]+)"`).FindAllSubmatch(text, -1) {
		names = append(names, string(m[1]))
	}
	require.Contains(t, names, UpdatePause)
	return names
}

// naming matches what could tell an account or a secret from a payload.
var naming = regexp.MustCompile(`(?i)uid=|ou=|dc=|cn=|svc-|esg-01-login|kv/|hvs\.|approle/|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|begin [a-z ]*key`)

func TestNoRecordedPayloadNamesAnAccountOrHoldsASecret(t *testing.T) {
	_, codec, err := engine.Converters(credential.Secret{})
	require.NoError(t, err)
	var payloads int
	look := func(_ *proxy.VisitPayloadsContext, in []*commonpb.Payload) ([]*commonpb.Payload, error) {
		plain, err := codec.Decode(in)
		for _, p := range plain {
			payloads++
			if found := naming.Find(p.Data); found != nil {
				return nil, fmt.Errorf("%q in %s", found, p.Data)
			}
		}
		return in, err
	}
	for _, f := range readFixtures(t) {
		require.NoError(t, proxy.VisitPayloads(t.Context(), f.history, proxy.VisitPayloadsOptions{Visitor: look}), f.name)
		for _, e := range f.history.Events {
			require.NotContains(t, e.String(), "svc-", f.name)
		}
	}
	require.Greater(t, payloads, 100)
	require.True(t, naming.MatchString("uid=svc-esg-01,ou=people"), "the search finds what it looks for")
}

// hide replaces a machine's name in every text of a history; it is in the names
// of workers' own task queues. Payloads are bytes and stay as they are.
func hide(h *historypb.History, host string) error {
	return protorange.Range(h.ProtoReflect(), func(p protopath.Values) error {
		last := p.Index(-1)
		text, ok := last.Value.Interface().(string)
		if !ok || !strings.Contains(text, host) {
			return nil
		}
		if step := last.Step; step.Kind() == protopath.FieldAccessStep {
			p.Index(-2).Value.Message().Set(step.FieldDescriptor(), protoreflect.ValueOfString(strings.ReplaceAll(text, host, "worker")))
		}
		return nil
	})
}

// writeFixture stores a history without what it says of the machine.
func writeFixture(name, id string, events client.HistoryEventIterator) error {
	h := &historypb.History{}
	for events.HasNext() {
		e, err := events.Next()
		if err != nil {
			return err
		}
		h.Events = append(h.Events, e)
	}
	host, err := os.Hostname()
	if err != nil {
		return err
	}
	if err := hide(h, host); err != nil {
		return err
	}
	text, err := protojson.Marshal(h)
	if err != nil {
		return err
	}
	first, err := json.Marshal(id)
	if err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(fixtures, name+".json.gz"))
	if err != nil {
		return err
	}
	z := gzip.NewWriter(f)
	if _, err := z.Write(slices.Concat(first, []byte("\n"), text)); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	return f.Close()
}
