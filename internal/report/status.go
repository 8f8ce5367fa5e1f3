package report

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
)

// Status is the answer of `rollcall status -o json`. Its keys are a contract
// with programs and do not change. Every list and map is present, even if
// empty.
type Status struct {
	Campaign string       `json:"campaign"`
	Device   string       `json:"device"`
	State    ledger.Phase `json:"state"`
	Listed   int          `json:"listed"`
	// ByState has waiting, in_work, open, exception and dead; they add up to
	// Listed.
	ByState map[string]int `json:"by_state"`
	// ByOutcome has dead, exception and excluded. Excluded ones are not in
	// Listed.
	ByOutcome map[string]int `json:"by_outcome"`
	// Attested are those of dead by people's word alone: no server was asked.
	Attested int `json:"attested,omitempty"`
	// DeadOnSome are those of dead that not every server and door showed,
	// because a person had left one out.
	DeadOnSome int `json:"dead_on_some,omitempty"`
	// Open are the credentials that a pass or the campaign left without proof.
	Open []StatusOpen `json:"open"`
	// LeftOut are servers and doors that a person took out of the campaign:
	// what died since then was not proved dead there.
	LeftOut []StatusLeftOut `json:"left_out"`
	// Accepted are logins to Vault that a person accepted as open.
	Accepted []StatusAccepted `json:"accepted,omitempty"`
	Waves    []StatusWave     `json:"waves"`
	// Tasks are what people see to; absent where the roll has none. They count
	// in ByState like all else.
	Tasks []StatusTask `json:"tasks,omitempty"`
	// Profile of the device, line by line; absent where none was named.
	Profile *DocumentProfile `json:"profile,omitempty"`
	Ledger  StatusLedger     `json:"ledger"`

	// Incident as the campaign file has it; absent where it has none.
	Incident *credential.Incident `json:"incident,omitempty"`
	// Containment of the device when the roll was listed; absent in ledgers of
	// builds that did not ask.
	Containment *credential.Containment `json:"containment,omitempty"`

	// LastSeen is when a campaign that has not ended gave its last sign of life
	// (RFC 3339), and NobodyWorks that no worker has it in hand. Neither is in
	// the ledger: who asks Vault sets them.
	LastSeen    string `json:"last_seen,omitempty"`
	NobodyWorks bool   `json:"nobody_works,omitempty"`
	// WaitsFor is what a campaign waits for, in words for people: what keeps it
	// from going on, or what comes next, and when. Who asks Temporal sets it.
	WaitsFor string `json:"waits_for,omitempty"`
	// Stays is until when the campaign waits for a person (open.wait); empty
	// while it does not. Only the campaign knows it.
	Stays string `json:"stays,omitempty"`
	// Elsewhere says why there was no ledger to read: then the counts are what
	// Vault and Temporal have, and Open is empty.
	Elsewhere string `json:"ledger_elsewhere,omitempty"`
}

// StaysFor sets until when the campaign waits for a person.
func (s *Status) StaysFor(until time.Time) { s.Stays = rfc3339(until) }

// StatusOpen is one credential that is not dead, and why.
type StatusOpen struct {
	Credential string          `json:"credential"`
	Step       protocol.Step   `json:"step"`
	Reason     protocol.Reason `json:"reason"`
	Since      string          `json:"since"`           // RFC 3339, UTC
	Until      string          `json:"until,omitempty"` // when its lock ends by itself
	// Own is what kept it open before the outage that Reason is, and
	// UnseenSince from when on outages hid whether that is so.
	Own         *StatusCause `json:"own,omitempty"`
	UnseenSince string       `json:"unseen_since,omitempty"`
	Owner       string       `json:"owner,omitempty"` // who sees to it, where the ledger says so
	Due         string       `json:"due,omitempty"`   // until when; RFC 3339, UTC
}

// StatusCause is why a credential is open, and since when.
type StatusCause struct {
	Step   protocol.Step   `json:"step"`
	Reason protocol.Reason `json:"reason"`
	Server string          `json:"server,omitempty"`
	Since  string          `json:"since"` // RFC 3339, UTC
}

func causeOf(c ledger.Cause) *StatusCause {
	if c.Reason == "" {
		return nil
	}
	return &StatusCause{c.Step, c.Reason, c.Server, rfc3339(c.Since)}
}

// StatusAccepted is a login to Vault that a person accepted as open.
type StatusAccepted struct {
	Credential string `json:"credential"`
	Name       string `json:"name"`
	Actor      string `json:"actor"`
	Reason     string `json:"reason"`
	At         string `json:"at"`
}

// StatusLeftOut is a server or door that a person took out, and how many
// credentials are dead without it.
type StatusLeftOut struct {
	Directory string `json:"directory"`
	Server    string `json:"server"`
	Door      bool   `json:"door,omitempty"` // server is a door's name, of no directory
	Actor     string `json:"actor"`
	Reason    string `json:"reason"`
	At        string `json:"at"` // RFC 3339, UTC; empty where only Temporal was asked
	Dead      int    `json:"dead"`
}

// StatusWave counts the credentials of one wave.
type StatusWave struct {
	Wave      int `json:"wave"`
	Listed    int `json:"listed"`
	Waiting   int `json:"waiting"`
	InWork    int `json:"in_work"`
	Open      int `json:"open"`
	Exception int `json:"exception"`
	Dead      int `json:"dead"`

	DeadOnSome int `json:"dead_on_some,omitempty"` // as in Status

	// Next is when what is open is tried again, and Until when that is given up
	// (RFC 3339, UTC). Neither is in the ledger: who asks the campaign sets
	// them.
	Next  string `json:"next,omitempty"`
	Until string `json:"until,omitempty"`
}

// TriedAgain sets when what is open is tried again, and until when.
func (w *StatusWave) TriedAgain(next, until time.Time) {
	w.Next, w.Until = rfc3339(next), rfc3339(until)
}

// StatusLedger names the state of the ledger that all of it was derived from.
type StatusLedger struct {
	Size uint64 `json:"size"`
	Root string `json:"root"`
	// Problems of a ledger that does not verify, of which nothing is proved.
	Problems []string `json:"problems,omitempty"`
}

// StatusOf derives the status.
func StatusOf(s *ledger.State, v Verification) Status {
	f := figuresOf(s)
	st := Status{
		Campaign: s.Campaign, Device: s.Device, State: s.Phase, Listed: f.All.Listed,
		ByState: map[string]int{
			string(waiting): f.All.Waiting, string(inWork): f.All.InWork, string(open): f.All.Open,
			string(exception): f.All.Exceptions, string(dead): f.All.Dead,
		},
		ByOutcome: map[string]int{"dead": f.All.Dead, "exception": f.All.Exceptions, "excluded": len(s.Excluded)},
		Attested:  f.All.Attested, DeadOnSome: f.All.OnSome,
		Open:    []StatusOpen{},
		LeftOut: []StatusLeftOut{},
		Waves:   []StatusWave{},
		Profile: documentProfile(s),
		Ledger:  StatusLedger{v.Size, v.Root, v.Problems},

		Containment: s.Containment,
	}
	if s.Incident.Number != "" {
		st.Incident = &s.Incident
	}
	for l := range s.NotDead() {
		if at := standingOf(l); at == open || at == exception {
			open := StatusOpen{Credential: l.ID, Step: l.Step, Reason: l.Reason, Since: rfc3339(l.Since), Until: rfc3339(l.Until), Own: causeOf(l.Own), UnseenSince: rfc3339(l.Unseen)}
			owner, due := seenToBy(s, l)
			open.Owner, open.Due = owner, rfc3339(due)
			st.Open = append(st.Open, open)
		}
	}
	for _, l := range leftOutOf(s) {
		st.LeftOut = append(st.LeftOut, StatusLeftOut{l.Authority, l.Server, l.Door, l.Actor, l.Reason, rfc3339(l.At), l.Dead})
	}
	for _, l := range s.Accepted {
		st.Accepted = append(st.Accepted, StatusAccepted{l.ID, l.Name, l.Actor, l.Reason, rfc3339(l.At)})
	}

	st.Tasks = tasksOf(s, time.Now())
	for _, w := range wavesOf(f) {
		t := f.ByWave[w]
		st.Waves = append(st.Waves, StatusWave{Wave: w, Listed: t.Listed, Waiting: t.Waiting, InWork: t.InWork, Open: t.Open, Exception: t.Exceptions, Dead: t.Dead, DeadOnSome: t.OnSome})
	}
	return st
}

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

func rfc3339(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}
