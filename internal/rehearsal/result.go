package rehearsal

import (
	"rollcall/internal/credential"
	"rollcall/internal/protocol"
)

// State is how a rehearsal at an authority ended.
type State string

// The states.
const (
	Passed       State = "passed"
	WouldFail    State = "would-have-failed"
	NotRehearsed State = "not-rehearsed"
)

// Result is what came of one authority. Its JSON keys are stable.
type Result struct {
	Authority string          `json:"authority"`
	Kind      credential.Kind `json:"kind"`
	State     State           `json:"state"`
	// Account is the bogus account, Made that the rehearsal made it, and Live
	// where its value was for a while.
	Account string         `json:"account,omitempty"`
	Made    bool           `json:"made"`
	Live    string         `json:"live,omitempty"`
	Proof   protocol.Proof `json:"proof,omitempty"`
	Servers []Server       `json:"servers"`

	// Step, Reason, At and Detail say where it would have stopped; Title and
	// Next are the reason's words.
	Step   protocol.Step   `json:"step,omitempty"`
	Reason protocol.Reason `json:"reason,omitempty"`
	At     string          `json:"server,omitempty"`
	Detail string          `json:"detail,omitempty"`
	Title  string          `json:"title,omitempty"`
	Next   string          `json:"next,omitempty"`

	Findings []credential.Finding `json:"findings,omitempty"`
	// Cure is what a rehearsal needs there.
	Cure string `json:"cure,omitempty"`
	// Left is what could not be removed, and why; the next rehearsal tries
	// again.
	Left string `json:"left,omitempty"`
}

// Server is what one server came to.
type Server struct {
	Server string `json:"server"`
	// State is passed, would-have-failed or not-reached: an earlier step or
	// server had ended it.
	State string `json:"state"`
}

const notReached = "not-reached"

// servers says of each server what it came to: which gave evidence, which
// ended it, and which were not come to.
func servers(all []string, evidence []protocol.Evidence, proved bool, at string) (out []Server) {
	gave := map[string]bool{}
	for _, e := range evidence {
		gave[e.Server] = true
	}
	for _, s := range all {
		state := notReached
		switch {
		case !proved && s == at:
			state = string(WouldFail)
		case proved || gave[s]:
			state = string(Passed)
		}
		out = append(out, Server{s, state})
	}
	return out
}

// Code is the exit code of several results: 1 if something would have failed or
// was left, 2 if something was not rehearsed.
func Code(results []Result) int {
	code := 0
	for _, r := range results {
		switch {
		case r.State == WouldFail || r.Left != "":
			return 1
		case r.State == NotRehearsed:
			code = 2
		}
	}
	return code
}
