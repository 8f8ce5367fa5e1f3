package workflows

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"rollcall/activities"
	"rollcall/internal/credential"
	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
	"rollcall/internal/wire"
)

// place is a credential of a roll.
type place struct{ page, index int }

// fake stands for the activities: it says what becomes of each credential and
// keeps what it was told.
type fake struct {
	takenOver string // the campaign that took over
	// outcome is what stops a credential in its nth try, and where; a zero
	// Reason means dead. nil: all are dead at once.
	outcome  func(at place, try int) (protocol.Step, protocol.Reason)
	roll     wire.Roll
	ended    []string                  // campaigns that it takes over from
	until    func(at place) time.Time  // when the lock ends that outcome says
	awaits   map[place]credential.Refs // what those wait for that outcome says are within reach
	gone     string                    // a server without an answer: no credential dies until it is left out
	goneDoor string                    // a door of which that is so
	waitsFor credential.Ref            // with finds or outcome: nothing of another page is set while it is among the open logins, or the readers
	finds    map[place]credential.FindingCode
	doors    map[int]bool // by index: it has doors
	comesTo  int          // how many an activity that asks doors comes to; 0: all
	dies     int          // the so-many-eth activity that asks doors gives up
	parts    []wire.ApplyInput
	takes    map[string]time.Duration // by activity, on the workflow's clock
	fails    map[string]error         // by activity
	doubted  []bool                   // of each that Apply got: an earlier Apply ended without an answer
	unheard  bool                     // so the campaign was closed
	ending   wire.Ending              // as it was

	writtenOver map[place]bool // after their proof, before they are cleaned
	reopened    []place        // as the ledger has it
	cleans      []wire.CleanInput

	proposal wire.RelistFound // what listing again finds
	amended  wire.Amended     // what becomes of it
	amends   []wire.AmendInput
	amending func(n int, in wire.AmendInput) wire.Amended // what the nth amends; nil: amended
	takenUp  []wire.TakenUpInput

	deviceSays wire.DeviceAnswers // at the end
	newReaders string             // what LookForTokens found
	sent       []int              // of the last Prepare that said so

	mu         sync.Mutex
	now        func() time.Time
	log        []string // activities in the order of their start
	passes     []time.Time
	prepared   []preparedOne
	tries      map[place]int
	died       map[place]int
	results    []wire.ResultInput
	activated  []wire.ActivatedInput
	intents    []wire.IntentInput
	cleaned    map[place]int
	exceptions map[place]wire.OpenItem
	why        map[place]string
	events     []wire.EventInput
	kept       []wire.EventInput // of events, those that the ledger took
	changed    map[place]bool    // since their proof
	rechecked  []wire.RecheckedInput
	recorded   []wire.Roll
	closed     []string
	inHand     int
	most       int // batches at the same time
}

// preparedOne is one credential of one Prepare, and which logins were open.
type preparedOne struct {
	at     place
	logins credential.Refs
	found  int // logins that it knows were found
}

func newFake(waves ...credential.WaveIndex) *fake {
	f := &fake{
		takes: map[string]time.Duration{}, fails: map[string]error{}, tries: map[place]int{}, died: map[place]int{},
		cleaned: map[place]int{}, exceptions: map[place]wire.OpenItem{}, why: map[place]string{},
	}
	f.roll = wire.Roll{Campaign: "c1", Snapshot: "s1", Device: "esg-01", Pages: 1, Excluded: 1, Waves: waves}
	for _, w := range waves {
		f.roll.Listed += listed(w)
	}
	return f
}

// waveOf is a wave with one run on each page.
func waveOf(n int, sizes ...int) credential.WaveIndex {
	w := credential.WaveIndex{Wave: n}
	for page, size := range sizes {
		w.Runs = append(w.Runs, credential.Run{Authority: "corp", Kind: credential.LDAPPassword, Span: credential.Span{Page: page, To: size}})
	}
	return w
}

var settings = Settings{
	Batch: 10, Parallel: 3, Concurrency: 4, RetryMin: time.Minute, RetryMax: 10 * time.Minute, Deadline: time.Hour,
}

// env is a test environment in which f serves.
func (f *fake) env(t *testing.T) *testsuite.TestWorkflowEnvironment {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(quiet{})
	env := suite.NewTestWorkflowEnvironment()
	env.SetTestTimeout(20 * time.Minute)
	// A busy machine is no deadlock.
	env.SetWorkerOptions(worker.Options{DeadlockDetectionTimeout: 20 * time.Minute})
	env.SetStartTime(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	Register(env)
	env.RegisterActivity(&activities.Rotation{})
	env.RegisterActivity(&activities.Ledger{})
	f.now = env.Now
	for name, serve := range map[string]any{
		"List": f.list, "Prepare": f.prepare, "Apply": f.apply, "Clean": f.clean, "CloseCampaign": f.close, "OpenScheduled": f.open, "TakeOver": f.takeOver, "SignOfLife": func(context.Context, string) (string, error) { return f.takenOver, nil },
		"AskDevice":     f.askDevice,
		"LookForTokens": f.lookForTokens,
		"RecordRoll":    f.recordRoll, "RecordIntents": f.recordIntents, "RecordResults": f.recordResults,
		"RecordExceptions": f.recordExceptions, "RecordEvent": f.recordEvent,
		"Proved": f.proved, "Recheck": f.recheck, "RecordRechecked": f.recordRechecked,
		"RecordCleaned": f.recordCleaned, "RecordActivated": f.recordActivated,
		"Relist": f.relist, "Amend": f.amend, "Untouched": f.untouched, "RecordTakenUp": f.recordTakenUp,
	} {
		args := []any{mock.Anything, mock.Anything}
		if name == "CloseCampaign" {
			args = append(args, mock.Anything, mock.Anything)
		}
		call := env.OnActivity(name, args...).Return(serve).Maybe()
		if d := f.takes[name]; d > 0 {
			call.After(d)
		}
	}
	return env
}

// begin notes that an activity runs and says whether it fails.
func (f *fake) begin(name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.log = append(f.log, name)
	return f.fails[name]
}

func (f *fake) list(_ context.Context, in wire.ListInput) (wire.Roll, error) {
	if err := f.begin("List"); err != nil {
		return wire.Roll{}, err
	}
	if in.Campaign != f.roll.Campaign {
		return wire.Roll{}, fmt.Errorf("no campaign %q", in.Campaign)
	}
	return f.roll, nil
}

func (f *fake) prepare(_ context.Context, in wire.PrepareInput) (out []wire.PreparedItem, err error) {
	if err := f.begin("Prepare"); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.passes = append(f.passes, f.now())
	if in.Sent != nil {
		f.sent = in.Sent
	}
	f.inHand++
	f.most = max(f.most, f.inHand)
	for _, i := range in.Items {
		at := place{in.Batch.Span.Page, i}
		f.tries[at]++
		f.prepared = append(f.prepared, preparedOne{at, in.Batch.Logins, in.Batch.Found})
		p := wire.Prepared{Attempt: 1, Fresh: f.tries[at] == 1, From: []int{1}}
		if step, reason := f.stop(at); step == protocol.Precheck || step == protocol.Stage {
			stop := &protocol.Stop{Reason: reason}
			if f.until != nil {
				stop = stop.LockedUntil(f.until(at))
			}
			p = wire.Prepared{Step: step, Stop: stop}
		} else if at.page != f.waitsFor.Page && (slices.Contains(in.Batch.Logins, f.waitsFor) || slices.Contains(in.Batch.Readers, f.waitsFor)) {
			p = wire.Prepared{Step: protocol.Precheck, Stop: &protocol.Stop{Reason: protocol.ReasonWithinReach}}
		}
		out = append(out, wire.PreparedItem{Index: i, Prepared: p})
	}
	return out, nil
}

// stop is called with mu held.
func (f *fake) stop(at place) (protocol.Step, protocol.Reason) {
	if f.outcome == nil {
		return "", ""
	}
	return f.outcome(at, f.tries[at])
}

// setAt is when values were set of what has doors.
var setAt = time.Date(2026, 3, 1, 12, 0, 1, 0, time.UTC)

func (f *fake) apply(_ context.Context, in wire.ApplyInput) (out []wire.AppliedItem, err error) {
	if err := f.begin("Apply"); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if in.Doors == wire.DoorsNow {
		if f.parts = append(f.parts, in); len(f.parts) == f.dies {
			return nil, temporal.NewNonRetryableApplicationError("its worker died for the last time", wire.Denied, nil)
		}
	}
	for n, it := range in.Items {
		at := place{in.Batch.Span.Page, it.Index}
		if f.doors[it.Index] && (in.Doors == wire.DoorsLater || in.Doors == wire.DoorsNow && f.comesTo > 0 && n >= f.comesTo) {
			set := wire.Applied{Attempt: it.Attempt, From: []int{1}, To: []int{2}, Step: protocol.Prove, AtDoors: true, SetAt: setAt, Findings: []credential.Finding{{Code: credential.FindingConfirmed}}}
			out = append(out, wire.AppliedItem{Index: it.Index, Applied: set})
			continue
		}
		f.doubted = append(f.doubted, it.Unheard)
		a := wire.Applied{Attempt: it.Attempt, From: []int{1}, To: []int{2}, Proof: protocol.ProofBind, Step: protocol.Prove}
		if step, reason := f.stop(at); reason != "" {
			a = wire.Applied{Attempt: it.Attempt, Step: step, Stop: &protocol.Stop{Reason: reason, Awaits: f.awaits[at]}}
		} else if f.goneDoor != "" && !slices.Contains(in.Batch.DoorsLeftOut, f.goneDoor) {
			a = wire.Applied{Attempt: it.Attempt, Step: protocol.Prove, Stop: &protocol.Stop{Reason: protocol.ReasonDoorSilent, Server: f.goneDoor}}
		} else if f.gone != "" && !slices.Contains(in.Batch.LeftOut, f.gone) {
			a = wire.Applied{Attempt: it.Attempt, Step: protocol.Prove, Stop: protocol.StopFor(protocol.Unreachable, f.gone)}
		} else {
			if code := f.finds[at]; code != "" {
				a.Findings = []credential.Finding{{Code: code}}
			}
			f.died[at]++
		}
		out = append(out, wire.AppliedItem{Index: it.Index, Applied: a})
	}
	return out, nil
}

func (f *fake) clean(_ context.Context, in wire.CleanInput) (wire.Cleaned, error) {
	if err := f.begin("Clean"); err != nil {
		return wire.Cleaned{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cleans = append(f.cleans, in)
	for _, it := range in.Items {
		f.cleaned[place{in.Batch.Span.Page, it.Index}]++
	}
	return f.lost(in), nil
}

// lost are the credentials of which consumers get something else after their
// proof.
func (f *fake) lost(in wire.CleanInput) (out wire.Cleaned) {
	for _, it := range in.Items {
		if f.writtenOver[place{in.Batch.Span.Page, it.Index}] {
			out.Reopened = append(out.Reopened, wire.OpenItem{Index: it.Index, Step: protocol.Outcome, Reason: protocol.ReasonWrittenOver})
		}
	}
	return out
}

func (f *fake) recordCleaned(_ context.Context, in wire.CleanedInput) error {
	if err := f.begin("RecordCleaned"); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, it := range in.Result.Reopened {
		f.reopened = append(f.reopened, place{in.Batch.Span.Page, it.Index})
	}
	return nil
}

func (f *fake) close(_ context.Context, campaign string, unheard bool, as wire.Ending) error {
	err := f.begin("CloseCampaign")
	f.mu.Lock()
	defer f.mu.Unlock()
	f.unheard, f.ending = unheard, as
	f.closed = append(f.closed, campaign)
	return err
}

func (f *fake) askDevice(context.Context, string) (wire.DeviceAnswers, error) {
	return f.deviceSays, f.begin("AskDevice")
}

func (f *fake) lookForTokens(context.Context, string) (wire.NewReaders, error) {
	return wire.NewReaders{Detail: f.newReaders}, f.begin("LookForTokens")
}

func (f *fake) open(context.Context, wire.ScheduledInput) error {
	return f.begin("OpenScheduled")
}

func (f *fake) takeOver(context.Context, string) ([]string, error) {
	return f.ended, f.begin("TakeOver")
}

func (f *fake) recordRoll(_ context.Context, in wire.Roll) error {
	f.mu.Lock()
	f.recorded = append(f.recorded, in)
	f.mu.Unlock()
	return f.begin("RecordRoll")
}

func (f *fake) recordIntents(_ context.Context, in wire.IntentInput) error {
	f.mu.Lock()
	f.intents = append(f.intents, in)
	f.mu.Unlock()
	return f.begin("RecordIntents")
}

func (f *fake) recordResults(_ context.Context, in wire.ResultInput) error {
	f.mu.Lock()
	f.results = append(f.results, in)
	f.inHand--
	f.mu.Unlock()
	return f.begin("RecordResults")
}

func (f *fake) recordExceptions(_ context.Context, in wire.ExceptionInput) error {
	if err := f.begin("RecordExceptions"); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, it := range in.Items {
		at := place{in.Batch.Span.Page, it.Index}
		if _, twice := f.exceptions[at]; twice {
			return fmt.Errorf("%v is an exception twice", at)
		}
		f.exceptions[at], f.why[at] = it, in.Why
	}
	return nil
}

// failing makes an activity fail from now on, or with nil work again.
func (f *fake) failing(name string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fails[name] = err
}

// told are the events of the campaign as a whole, in order.
func (f *fake) told() (out []ledger.Event) {
	for _, e := range f.events {
		out = append(out, e.Event)
	}
	return out
}

// ranTimes counts the calls of an activity.
func (f *fake) ranTimes(name string) (n int) {
	for _, have := range f.log {
		if have == name {
			n++
		}
	}
	return n
}

// always is an outcome: every credential stops there each time.
func always(step protocol.Step, reason protocol.Reason) func(place, int) (protocol.Step, protocol.Reason) {
	return func(place, int) (protocol.Step, protocol.Reason) { return step, reason }
}

// broken is an activity's last error.
func broken(kind string) error {
	return temporal.NewNonRetryableApplicationError("it is broken", kind, nil)
}

// result reads what a workflow that ended well returned.
func result[T any](t *testing.T, env *testsuite.TestWorkflowEnvironment) (out T) {
	t.Helper()
	require.True(t, env.IsWorkflowCompleted())
	require.NoError(t, env.GetWorkflowError())
	require.NoError(t, env.GetWorkflowResult(&out))
	return out
}

type quiet struct{}

func (quiet) Debug(string, ...any)     {}
func (quiet) Info(string, ...any)      {}
func (quiet) Warn(string, ...any)      {}
func (quiet) Error(string, ...any)     {}
func (q quiet) With(...any) log.Logger { return q }

const anything = mock.Anything

type ctx = workflow.Context

func (f *fake) proved(_ context.Context, b wire.Batch) ([]wire.ProvedItem, error) {
	if err := f.begin("Proved"); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []wire.ProvedItem
	for i := b.Span.From; i < b.Span.To; i++ {
		if f.died[place{b.Span.Page, i}] > 0 {
			out = append(out, wire.ProvedItem{Index: i, Mark: "m"})
		}
	}
	return out, nil
}

func (f *fake) recheck(_ context.Context, in wire.RecheckInput) (wire.Rechecked, error) {
	if err := f.begin("Recheck"); err != nil {
		return wire.Rechecked{}, err
	}
	var out wire.Rechecked
	for _, it := range in.Items {
		if f.changed[place{in.Batch.Span.Page, it.Index}] {
			out.Reopened = append(out.Reopened, wire.OpenItem{Index: it.Index, Reason: protocol.ReasonChangedSince})
		}
	}
	return out, nil
}

func (f *fake) recordRechecked(_ context.Context, in wire.RecheckedInput) error {
	if err := f.begin("RecordRechecked"); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rechecked = append(f.rechecked, in)
	return nil
}
