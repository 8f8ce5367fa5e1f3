package report

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
)

// Document is `rollcall report -o json`: the status and everything that the
// HTML report shows. Keys are stable. Durations are seconds.
type Document struct {
	Status
	StartedAt string `json:"started_at"` // empty: the ledger does not say
	ClosedAt  string `json:"closed_at,omitempty"`
	// EndedEarly is why it did not come to its end by itself.
	EndedEarly string                `json:"ended_early,omitempty"`
	Spec       *ledger.Specification `json:"campaign_file,omitempty"` // digests of what it was started with
	Servers    map[string][]string   `json:"servers,omitempty"`       // of each directory, the write server first
	Actions    []DocumentAction      `json:"actions"`                 // who did what, in the order of the ledger
	Actor      string                `json:"actor"`
	TookOver   []ledger.TookFrom     `json:"took_over,omitempty"` // campaigns of the device that it ended
	Program    string                `json:"program,omitempty"`
	Exposure   string                `json:"exposure"`
	// DeadBefore counts those of dead of which an earlier campaign had called a
	// value dead already.
	DeadBefore int                 `json:"dead_before,omitempty"`
	Times      DocumentTimes       `json:"times"`
	ByProof    map[string]int      `json:"by_proof"`
	Roll       []DocumentLine      `json:"credentials"`
	Excluded   []DocumentExclusion `json:"excluded"`
	HandOver   []DocumentHandOver  `json:"hand_over"`
	// Findings of the campaign as a whole; those of a credential are with it.
	Findings []credential.Finding `json:"findings"`
	// Logs are readings of logs: which, what they cover, and counts of what is
	// about no credential of the roll. Signs of a credential are with it.
	Logs     *DocumentLogs    `json:"logs,omitempty"`
	Verified DocumentVerified `json:"verification"`
}

// DocumentLogs is what logs show.
type DocumentLogs struct {
	Words    string                `json:"words"`
	Signed   int                   `json:"credentials_with_signs"`
	Covered  []DocumentCover       `json:"covered"`
	Readings []credential.LogsRead `json:"readings"`
}

// DocumentCover is which part of the exposure is covered by the logs of an
// authority.
type DocumentCover struct {
	Authority string              `json:"authority"`
	NoLog     bool                `json:"no_log,omitempty"`
	Seconds   float64             `json:"covered_s"`
	Of        float64             `json:"exposure_s"`
	Gaps      []credential.LogGap `json:"gaps"`
}

func documentLogs(s *ledger.State) *DocumentLogs {
	logs := logsOf(s, 0)
	if logs == nil {
		return nil
	}
	d := &DocumentLogs{Words: logs.Headline, Signed: logs.Signed, Covered: []DocumentCover{}}
	c := coverageOf(s)
	for _, a := range c.of {
		d.Covered = append(d.Covered, DocumentCover{a.name, a.noLog, a.share().Seconds(), c.exposed.length().Seconds(), append([]credential.LogGap{}, a.gaps...)})
	}
	d.Readings = readingsOf(s)
	return d
}

func readingsOf(s *ledger.State) []credential.LogsRead {
	all := make([]credential.LogsRead, 0, len(s.Readings))
	for _, r := range s.Readings {
		read := credential.LogsRead{ID: r.ID, Of: r.LogReading, Logs: r.Logs, Coverage: r.Coverage, Elsewhere: r.Elsewhere, NeverEnded: r.NeverEnded()}
		if r.Counts != nil {
			read.Counts = *r.Counts
		}
		all = append(all, read)
	}
	return all
}

// DocumentTimes are absent where nothing was measured.
type DocumentTimes struct {
	FirstDead *float64 `json:"first_dead_s,omitempty"` // after the campaign's start
	LastDead  *float64 `json:"last_dead_s,omitempty"`
	Median    *float64 `json:"set_to_proof_median_s,omitempty"`
	P99       *float64 `json:"set_to_proof_p99_s,omitempty"`
}

// DocumentAction is what somebody did with the campaign as a whole.
type DocumentAction struct {
	At    string       `json:"at"`
	Event ledger.Event `json:"event"`
	Who   string       `json:"who,omitempty"`  // a claim: user@host
	What  string       `json:"what,omitempty"` // it was done to; the campaign itself where absent
	Why   string       `json:"why,omitempty"`
	Index uint64       `json:"ledger_index"`
}

// DocumentLine is one credential.
type DocumentLine struct {
	Credential string              `json:"credential"`
	Name       string              `json:"name"`
	Kind       credential.Kind     `json:"kind"`
	Authority  string              `json:"authority"`
	Wave       int                 `json:"wave"`
	State      string              `json:"state"` // a key of by_state
	Step       protocol.Step       `json:"step,omitempty"`
	Reason     protocol.Reason     `json:"reason,omitempty"`
	Server     string              `json:"server,omitempty"`
	Detail     string              `json:"detail,omitempty"`
	Next       string              `json:"next,omitempty"`  // what to do about Reason
	Owner      string              `json:"owner,omitempty"` // who sees to what is open, where the ledger says so
	Due        string              `json:"due,omitempty"`   // until when
	Since      string              `json:"since,omitempty"`
	Until      string              `json:"until,omitempty"` // when what keeps it open ends by itself
	Own        *StatusCause        `json:"own,omitempty"`   // what did before the outage that Reason is
	Unseen     string              `json:"unseen_since,omitempty"`
	Attempt    int                 `json:"attempt,omitempty"`
	Proof      protocol.Proof      `json:"proof,omitempty"`
	SetAt      string              `json:"set_at,omitempty"`
	DeadAt     string              `json:"dead_at,omitempty"`
	Evidence   []protocol.Evidence `json:"evidence,omitempty"`
	LeftOut    []string            `json:"left_out,omitempty"` // servers that were not asked
	// DoorsLeftOut are doors that were not asked.
	DoorsLeftOut []string `json:"doors_left_out,omitempty"`
	// Doors that take its secret too, and what each showed.
	Doors   []string                `json:"doors,omitempty"`
	AtDoors []protocol.DoorEvidence `json:"at_doors,omitempty"`
	Paths   []credential.Path       `json:"paths,omitempty"`
	UsedBy  []string                `json:"used_by,omitempty"` // consumers that read one of Paths
	From    map[string]int          `json:"from,omitempty"`
	To      map[string]int          `json:"to,omitempty"`
	Reasons []credential.Reason     `json:"reasons,omitempty"` // provenance
	// Lines of the profile that it answers.
	Lines    []credential.LineRef `json:"lines,omitempty"`
	Findings []credential.Finding `json:"findings,omitempty"`
	Signs    []credential.SignOf  `json:"signs,omitempty"` // of use by others; none says nothing
	// DeadBefore is the latest campaign before this one that had called a value
	// of it dead.
	DeadBefore *credential.DeadBefore `json:"dead_before,omitempty"`
	Index      *uint64                `json:"ledger_index,omitempty"` // of the entry that ended it
}

// DocumentExclusion is a credential that a person took off the roll.
type DocumentExclusion struct {
	Credential string `json:"credential"`
	Name       string `json:"name"`
	Reason     string `json:"reason"`
}

// DocumentHandOver is a person's temporary password, proved to be in force, and
// where in Vault it is to be fetched for its owner.
type DocumentHandOver struct {
	Credential string `json:"credential"`
	Name       string `json:"name"`
	Path       string `json:"path"` // mount/path#field
}

// DocumentVerified says whether the ledger was verified, and what was found.
type DocumentVerified struct {
	At          string   `json:"at,omitempty"` // empty: not verified
	VerifierKey string   `json:"verifier_key,omitempty"`
	Problems    []string `json:"problems"`
}

func documentVerified(v Verification) DocumentVerified {
	return DocumentVerified{At: rfc3339(v.At), VerifierKey: v.VerifierKey, Problems: append([]string{}, v.Problems...)}
}

// JSON writes the Document, indented and with a final newline.
func JSON(w io.Writer, s *ledger.State, v Verification) error {
	f := figuresOf(s)
	d := Document{
		Status: StatusOf(s, v), StartedAt: rfc3339(s.StartedAt), ClosedAt: rfc3339(s.ClosedAt),
		Actor: s.Actor, TookOver: s.TookOver, Program: s.Program, Exposure: s.Exposure, ByProof: map[string]int{},
		Roll: []DocumentLine{}, Excluded: []DocumentExclusion{}, HandOver: []DocumentHandOver{}, Findings: append([]credential.Finding{}, s.Findings...),
		Spec: s.Spec, Servers: s.Servers, Actions: []DocumentAction{}, DeadBefore: f.Again,
		Verified: documentVerified(v),
	}
	if f.All.Dead > 0 {
		d.Times.FirstDead, d.Times.LastDead = seconds(f.FirstDead), seconds(f.LastDead)
	}
	if f.Measured > 0 {
		d.Times.Median, d.Times.P99 = seconds(f.Median), seconds(f.P99)
	}
	d.Logs = documentLogs(s)
	if e := endingOf(s, f.All); e != nil {
		d.EndedEarly = e.Title + ". " + e.Text
	}
	for _, a := range s.Actions {
		d.Actions = append(d.Actions, DocumentAction{rfc3339(a.At), a.Event, a.Who, a.What, a.Why, a.Index})
	}
	for p := range proofs {
		d.ByProof[string(p)] = f.ByProof[p]
	}
	for _, e := range s.Excluded {
		d.Excluded = append(d.Excluded, DocumentExclusion{e.ID, e.Name, e.Reason})
	}
	for _, l := range f.HandOver {
		d.HandOver = append(d.HandOver, DocumentHandOver{l.ID, l.Name, l.Paths[0].String()})
	}
	return writeDocument(w, s, d)
}

// writeDocument writes the credentials one by one, where the document without
// them has an empty list: all of it in one piece takes a gigabyte for 100,000.
func writeDocument(w io.Writer, s *ledger.State, d Document) error {
	var whole bytes.Buffer
	if err := writeJSON(&whole, d); err != nil {
		return err
	}
	// No text has a line break, so nothing else looks like this key.
	const list = "\n  \"credentials\": ["
	before, after, found := bytes.Cut(whole.Bytes(), []byte(list+"]"))
	if !found {
		return errors.New("write the report: the document has no credentials")
	}
	out := bufio.NewWriterSize(w, 1<<16)
	_, _ = out.Write(before)
	_, _ = out.WriteString(list)
	var one bytes.Buffer
	e := json.NewEncoder(&one)
	e.SetIndent("    ", "  ")
	e.SetEscapeHTML(false)
	between := "\n    "
	for l := range s.All() {
		line := documentLine(l)
		if line.Next != "" {
			owner, due := seenToBy(s, l)
			line.Owner, line.Due = owner, rfc3339(due)
		}
		one.Reset()
		if err := e.Encode(line); err != nil {
			return fmt.Errorf("write the report: %w", err)
		}
		_, _ = out.WriteString(between)
		_, _ = out.Write(bytes.TrimSuffix(one.Bytes(), []byte("\n")))
		between = ",\n    "
	}
	if between[0] == ',' {
		_, _ = out.WriteString("\n  ")
	}
	_, _ = out.WriteString("]")
	_, _ = out.Write(after)
	if err := out.Flush(); err != nil { // it keeps the first error
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

func documentLine(l *ledger.CredentialState) DocumentLine {
	at := standingOf(l)
	d := DocumentLine{
		Credential: l.ID, Name: l.Name, Kind: l.Kind, Authority: l.Authority, Wave: l.Wave, State: string(at),
		Step: l.Step, Reason: l.Reason, Server: l.Server, Detail: l.Detail, Since: rfc3339(l.Since), Until: rfc3339(l.Until), Own: causeOf(l.Own), Unseen: rfc3339(l.Unseen), Attempt: l.Attempt,
		Proof: l.Proof, SetAt: rfc3339(l.SetAt), DeadAt: rfc3339(l.DeadAt), Evidence: l.Evidence, LeftOut: l.LeftOut, DoorsLeftOut: l.DoorsLeftOut,
		Paths: l.Paths, From: l.From, To: l.To, Reasons: l.Reasons, Lines: l.Lines, Findings: l.Findings,
		Doors: l.Doors, AtDoors: l.AtDoors, UsedBy: l.UsedBy, DeadBefore: l.DeadBefore, Signs: l.Signs,
	}
	if at == open || at == exception {
		d.Next = adviceFor(l.Reason).Next
	}
	if at == dead || at == exception {
		d.Index = &l.Index
	}
	return d
}

func seconds(d time.Duration) *float64 {
	s := d.Round(time.Millisecond).Seconds()
	return &s
}
