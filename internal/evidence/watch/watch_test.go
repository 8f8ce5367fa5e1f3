package watch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/evidence"
	"rollcall/internal/evidence/event"
	"rollcall/internal/evidence/judge"
	"rollcall/internal/evidence/logs"
)

const svc = "uid=svc,dc=x"

// soon is what anything may take on a busy machine.
const soon = 5 * time.Minute

// died is when the stolen value of svc was dead.
var died = time.Now().Add(-time.Hour).Truncate(time.Second)

func roll() []judge.Credential {
	return []judge.Credential{{ID: "corp/svc", Name: svc, Authority: "corp", Accounts: []judge.Account{{Form: event.DN, Name: svc}, {Form: event.Login, Name: "svc"}}, Rotated: died}}
}

// running is a watch in this process.
type running struct {
	t      *testing.T
	o      Options
	cancel context.CancelFunc
	ended  chan struct{}
	found  int
	err    error

	mu    sync.Mutex
	told  []Batch
	notes []string
}

// options are those of a watch that looks often.
func options(t *testing.T, files ...string) Options {
	o := Options{Folder: filepath.Join(t.TempDir(), "state"), Every: time.Millisecond, Quiet: time.Hour, Again: time.Hour}
	o.Evidence = evidence.Options{Drivers: map[string]string{"corp": "openldap"}, Judge: judge.Options{
		Windows: []judge.Window{{From: died.Add(-48 * time.Hour), To: died.Add(-24 * time.Hour)}},
		Device:  []netip.Prefix{netip.MustParsePrefix("192.0.2.10/32")}, Usual: []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")},
	}}
	for _, f := range files {
		o.Files = append(o.Files, evidence.File{Path: f})
	}
	known := false
	o.Roll = func(context.Context) ([]judge.Credential, bool, error) {
		was := known
		known = true
		return roll(), !was, nil
	}
	return o
}

func start(t *testing.T, o Options) *running {
	r := &running{t: t, o: o, ended: make(chan struct{})}
	ctx, cancel := context.WithCancel(t.Context())
	r.cancel = cancel
	if o.Show == nil {
		o.Show = func(Batch) error { return nil }
	}
	show := o.Show
	o.Show = func(b Batch) error {
		r.mu.Lock()
		r.told = append(r.told, b)
		r.mu.Unlock()
		return show(b)
	}
	o.Say = func(format string, args ...any) {
		r.mu.Lock()
		r.notes = append(r.notes, fmt.Sprintf(format, args...))
		r.mu.Unlock()
	}
	go func() {
		defer close(r.ended)
		r.found, r.err = Run(ctx, o)
	}()
	t.Cleanup(r.stop)
	return r
}

func (r *running) stop() {
	r.cancel()
	<-r.ended
}

// begun waits until the files are followed.
func (r *running) begun() *running {
	require.Eventually(r.t, func() bool { _, err := os.Stat(filepath.Join(r.o.Folder, stateFile)); return err == nil }, soon, time.Millisecond)
	return r
}

// says are findings and troubles, each in a word.
func (r *running) says() (out []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, b := range r.told {
		for _, a := range b.Alerts {
			out = append(out, fmt.Sprintf("%s %s %s", a.Grade, a.Code, a.Address))
		}
		for _, x := range b.Troubles {
			out = append(out, strings.TrimSuffix(fmt.Sprintf("%s %v", x.Code, map[bool]string{true: "over"}[x.Over]), " "))
		}
	}
	return out
}

// findings are those of says that are no troubles.
func (r *running) findings() []string {
	return slices.DeleteFunc(r.says(), func(s string) bool { return !strings.HasPrefix(s, "probable ") && !strings.HasPrefix(s, "confirmed ") })
}

func (r *running) until(want ...string) {
	r.t.Helper()
	require.Eventually(r.t, func() bool {
		return !slices.ContainsFunc(want, func(w string) bool { return !slices.Contains(r.says(), w) })
	}, soon, time.Millisecond, "%v", want)
}

func put(t *testing.T, path, text string) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	require.NoError(t, err)
	_, err = f.WriteString(text)
	require.NoError(t, err)
	require.NoError(t, f.Close())
}

var conns = 1000

// refused is a refused login as slapd writes it to a syslog.
func refused(from string) string { return refusedAt(time.Now(), from) }

func refusedAt(at time.Time, from string) string {
	conns++
	out := ""
	for _, text := range []string{"fd=1 ACCEPT from IP=" + from + ":5 (IP=192.0.2.2:389)", `op=0 BIND dn="` + svc + `" method=128`, "op=0 RESULT tag=97 err=49 text="} {
		out += fmt.Sprintf("%s ldap1 slapd[7]: conn=%d %s\n", at.UTC().Format(time.RFC3339), conns, text)
	}
	return out
}

func logAt(t *testing.T, text string) string {
	path := filepath.Join(t.TempDir(), "slapd.log")
	put(t, path, text)
	return path
}

func TestATryIsToldOnceAndNothingTwiceOrNotAtAllAcrossARestart(t *testing.T) {
	path := logAt(t, refused("203.0.113.1")) // from before it began
	o := options(t, path)
	r := start(t, o).begun()
	put(t, path, refused("203.0.113.2")+refused("203.0.113.2")+refused("198.51.100.7"))
	r.until("probable tried-after-rotation 203.0.113.2")
	// In the middle of a login.
	text := refused("203.0.113.3")
	put(t, path, text[:len(text)-30])
	r.stop()
	require.NoError(t, r.err)
	require.Equal(t, 1, r.found)
	info, err := os.Stat(filepath.Join(o.Folder, stateFile))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	put(t, path, text[len(text)-30:]+refused("203.0.113.4"))
	t.Chdir(filepath.Dir(path))
	o.Files[0].Path = filepath.Base(path) // the same file, named from elsewhere
	second := start(t, options(t, path))
	second.stop()
	o.Roll = options(t).Roll
	second = start(t, o)
	second.until("probable tried-after-rotation 203.0.113.3", "probable tried-after-rotation 203.0.113.4")
	second.stop()
	require.Len(t, second.says(), 2)
	require.Len(t, r.says(), 1)
	require.Equal(t, 5, r.told[0].Alerts[0].Seen[0].Line)
}

func TestFromStartReadsWhatIsThere(t *testing.T) {
	path := logAt(t, refused("203.0.113.1"))
	o := options(t, path)
	o.FromStart = true
	r := start(t, o)
	r.until("probable tried-after-rotation 203.0.113.1")
	r.stop()
	o.Roll = options(t).Roll
	r = start(t, o)
	put(t, path, refused("203.0.113.2"))
	r.until("probable tried-after-rotation 203.0.113.2")
	require.Len(t, r.says(), 1, "once is enough")
}

// What was about to be told when the process died is told again, and the same.
func TestWhatWasBeingToldAtACrashIsToldAgainUnderItsID(t *testing.T) {
	o := options(t, logAt(t, ""))
	o.FromStart = true
	put(t, o.Files[0].Path, refused("203.0.113.1"))
	crash := errors.New("crash")
	o.Show, o.Tell = func(Batch) error { return nil }, func(Batch) { panic(crash) }
	func() {
		defer func() { require.Equal(t, crash, recover()) }()
		o := o
		o.Say = func(string, ...any) {}
		_, _ = Run(t.Context(), o)
	}()
	s, err := load(o.Folder)
	require.NoError(t, err)
	require.NotNil(t, s.Telling)
	o.Show, o.Tell, o.Roll = nil, nil, options(t).Roll
	r := start(t, o)
	r.until("probable tried-after-rotation 203.0.113.1")
	put(t, o.Files[0].Path, refused("203.0.113.2"))
	r.until("probable tried-after-rotation 203.0.113.2")
	require.Equal(t, s.Telling.ID, r.told[0].ID)
	require.Equal(t, s.Telling.Alerts[0].ID, r.told[0].Alerts[0].ID)
	require.Len(t, r.says(), 2)
}

func TestAThiefWhoGuessesIsOneFindingWithItsCount(t *testing.T) {
	path := logAt(t, "")
	o := options(t, path)
	o.Again = 300 * time.Millisecond
	began := time.Now()
	r := start(t, o).begun()
	var b strings.Builder
	for range 10_000 {
		b.WriteString(refused("203.0.113.1"))
	}
	put(t, path, b.String())
	require.Eventually(t, func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		n := len(r.told)
		return n > 0 && len(r.told[n-1].Alerts) > 0 && r.told[n-1].Alerts[0].Count == 10_000
	}, soon, time.Millisecond)
	// At once, and then after waits each of which is twice the last.
	waits := bits.Len(uint(time.Since(began) / o.Again))
	require.LessOrEqual(t, len(r.findings()), 1+waits)
}

func TestSilenceIsToldAndSoIsItsEnd(t *testing.T) {
	path := logAt(t, refused("203.0.113.1"))
	never := filepath.Join(t.TempDir(), "access")
	o := options(t, path, never)
	o.Quiet, o.Again = 200*time.Millisecond, time.Hour
	r := start(t, o)
	require.Eventually(t, func() bool { return len(r.says()) >= 2 }, soon, time.Millisecond)
	r.mu.Lock()
	text := fmt.Sprint(r.told)
	r.mu.Unlock()
	require.Contains(t, text, "That does not say that nothing happened")
	require.Contains(t, text, "access has had no line that is understood since")
	require.Contains(t, text, ": it is not there.")
	put(t, path, refused("198.51.100.1"))
	r.until("log-silent over")
	require.Contains(t, fmt.Sprint(r.notes), "access is not there yet: it is read from its beginning when it is")
}

// A syslog in which other programs write is silent of the one that has logins.
func TestASyslogOfWhichTheServerIsSilentIsSilent(t *testing.T) {
	path := logAt(t, refused("203.0.113.1"))
	o := options(t, path)
	o.Quiet = 300 * time.Millisecond
	r := start(t, o).begun()
	require.Eventually(t, func() bool {
		put(t, path, time.Now().UTC().Format(time.RFC3339)+" ldap1 cron[1]: x\n")
		return slices.Contains(r.says(), "log-silent")
	}, soon, 10*time.Millisecond)
}

func TestAFileThatCannotBeReadIsToldAndReadWhenItCanBe(t *testing.T) {
	path := logAt(t, "")
	r := start(t, options(t, path)).begun()
	require.NoError(t, os.Rename(path, path+".1"))
	require.NoError(t, os.Mkdir(path, 0o700))
	r.until("log-unreadable")
	require.NoError(t, os.Remove(path))
	put(t, path, refused("203.0.113.1"))
	r.until("log-unreadable over", "probable tried-after-rotation 203.0.113.1")
}

func TestAStateThatCannotBeKeptStopsNoFinding(t *testing.T) {
	path := logAt(t, "")
	o := options(t, path)
	r := start(t, o).begun()
	require.NoError(t, os.RemoveAll(o.Folder))
	put(t, path, refused("203.0.113.1"))
	r.until("probable tried-after-rotation 203.0.113.1", "state-not-kept")
	require.Contains(t, fmt.Sprint(r.notes), "WARNING: the state cannot be kept")
	r.stop()
	require.ErrorContains(t, r.err, "so the next watch reads it again")
}

func TestLinesThatAreNotUnderstoodAreToldAndHoldNothingUp(t *testing.T) {
	path := logAt(t, "")
	r := start(t, options(t, path)).begun()
	put(t, path, "nonsense with a secret\n"+refused("203.0.113.1")+strings.Repeat("A", 10<<20)+"\n"+
		`{"time":"2026-01-01T11:00:00Z","type":"request","request":{"id":"1","path":"sys/health","operation":"read"}}`+"\n"+refused("203.0.113.2"))
	r.until("probable tried-after-rotation 203.0.113.1", "probable tried-after-rotation 203.0.113.2", "log-not-understood")
	r.mu.Lock()
	defer r.mu.Unlock()
	text, err := json.Marshal(r.told)
	require.NoError(t, err)
	require.NotContains(t, string(text), "secret")
	require.Less(t, len(text), 10_000)
}

func TestAClockThatIsAheadIsTold(t *testing.T) {
	path := logAt(t, "")
	r := start(t, options(t, path)).begun()
	put(t, path, refusedAt(time.Now().Add(time.Hour), "203.0.113.1"))
	r.until("log-clock-ahead", "probable tried-after-rotation 203.0.113.1")
}

func TestTheRollIsReadAgainAndALedgerThatCannotBeIsTold(t *testing.T) {
	path := logAt(t, "")
	o := options(t, path)
	var mu sync.Mutex
	all, fails := roll(), error(nil)
	all[0].Rotated = time.Time{}
	set := func(do func()) { mu.Lock(); defer mu.Unlock(); do() }
	o.Roll = func(context.Context) ([]judge.Credential, bool, error) {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(all), true, fails
	}
	r := start(t, o).begun()
	put(t, path, refusedAt(died.Add(-time.Minute), "203.0.113.8")+refused("203.0.113.1")+refused("192.0.2.10"))
	set(func() { fails = errors.New("its disk is away") })
	r.until("roll-unreadable")
	set(func() { fails, all = nil, roll() })
	r.until("roll-unreadable over", "probable tried-after-rotation 203.0.113.1", "confirmed tried-after-rotation 192.0.2.10")
	require.Len(t, r.says(), 4, "not what was tried before")
	r.stop()
	o.Roll = func(context.Context) ([]judge.Credential, bool, error) { return nil, false, errors.New("away") }
	r = start(t, o)
	<-r.ended
	require.ErrorContains(t, r.err, "away")
}

func TestStandardInputIsReadByAMappingToItsEnd(t *testing.T) {
	o := options(t, "-")
	o.Evidence.Mapped = []logs.Format{logs.Mapping{Name: "siem", Type: logs.JSONL, Account: "user.name", Address: "source.ip", Time: "@timestamp", Outcome: "event.outcome",
		Form: event.Login, Layout: logs.RFC3339, Accepted: []string{"success"}, Refused: []string{"failure"}}.Format()}
	in, out := io.Pipe()
	o.In = in
	r := start(t, o)
	line := func(from, outcome string) {
		_, err := fmt.Fprintf(out, `{"@timestamp":%q,"user":{"name":"svc"},"source":{"ip":%q},"event":{"outcome":%q}}`+"\n", time.Now().UTC().Format(time.RFC3339), from, outcome)
		require.NoError(t, err)
	}
	line("203.0.113.1", "failure")
	r.until("possible tried-after-rotation 203.0.113.1") // nobody said whose logins they are
	for range 50 {
		line("203.0.113.1", "failure")
	}
	line("192.0.2.10", "success")
	require.NoError(t, out.Close())
	<-r.ended
	require.NoError(t, r.err)
	last := map[judge.Code]int{}
	for _, b := range r.told {
		for _, a := range b.Alerts {
			if a.Address == "203.0.113.1" {
				last[a.Code] = a.Count
			}
		}
	}
	require.Equal(t, map[judge.Code]int{judge.TriedAfter: 51, judge.Burst: 51}, last, "what was counted is told at the end")
}

func TestBadInputIsRefusedAndNothingIsKept(t *testing.T) {
	dir := t.TempDir()
	at := func(name, text string) string {
		put(t, filepath.Join(dir, name), text)
		return filepath.Join(dir, name)
	}
	yearless := at("yearless.log", "Nov 22 11:00:00 ldap1 slapd[7]: conn=1002 fd=1 closed\n")
	for name, row := range map[string]struct {
		files []string
		says  string
	}{
		"no log":      {[]string{at("diary", "dear diary\nnothing\n")}, "is no log that Rollcall reads, by its first lines: there are openldap ("},
		"no zone":     {[]string{yearless}, "yearless.log line 1: its time has no zone: say it, with --zone"},
		"packed":      {[]string{at("a.gz", "\x1f\x8b\x08\x00 packed \n")}, "it is packed"},
		"a folder":    {[]string{dir}, "is no regular file"},
		"no folder":   {[]string{filepath.Join(dir, "nowhere", "slapd.log")}, "cannot be waited for"},
		"given twice": {[]string{at("slapd.log", ""), filepath.Join(dir, "nowhere", "..", "slapd.log")}, "is given twice"},
	} {
		o := options(t, row.files...)
		r := start(t, o)
		<-r.ended
		require.ErrorContains(t, r.err, row.says, name)
		require.NoFileExists(t, filepath.Join(o.Folder, stateFile), name)
	}
	o := options(t, yearless)
	o.Evidence.Zone = time.UTC
	start(t, o).begun()
	r := start(t, o)
	<-r.ended
	require.ErrorContains(t, r.err, "another watch keeps its state in")

	o = options(t, yearless)
	require.NoError(t, os.MkdirAll(o.Folder, 0o700))
	put(t, filepath.Join(o.Folder, stateFile), "{]")
	r = start(t, o)
	<-r.ended
	require.ErrorContains(t, r.err, "is no state of a watch: move it away")
}

// What is told seldom is counted meanwhile, and nothing of it is left out.
func TestATroubleThatComesAgainIsToldSlowerAndWithItsCount(t *testing.T) {
	path := logAt(t, "")
	b := byHand(t, options(t, path))
	for i := range 3 {
		put(t, path, refused(fmt.Sprintf("203.0.113.%d", i+1)))
		b.looks()
		require.NoError(t, os.Truncate(path, 0))
		put(t, path, "written anew, with other first bytes\n")
		b.looks()
	}
	lost := func() (texts []string) {
		for _, x := range b.troubles() {
			if x.Code == LinesLost {
				texts = append(texts, x.Text)
			}
		}
		return texts
	}
	require.Len(t, lost(), 1)
	b.passes(b.w.o.Again)
	b.looks()
	require.Len(t, lost(), 2)
	require.Contains(t, lost()[1], "as was told before: 2 times more")
}
