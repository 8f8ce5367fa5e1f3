package intruder

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"sort"
	"time"
)

// Death is a claim to be judged: from At on, no server lets the credential in.
type Death struct {
	ID string
	At time.Time
}

// Violation is a claim that the intruder's own experience does not bear out.
type Violation struct {
	What        What
	ID          string
	Server, Via string // empty when the credential was never tried anywhere
	DeadAt      time.Time
	Last        time.Time // the last success, or the last answer
}

// What is wrong with a claim.
type What string

// The ways in which a claim can be wrong.
const (
	GotIn      What = "got in after its death"
	NotTried   What = "no answer since its death, so nothing confirms it"
	NeverTried What = "the intruder does not hold it, so nothing confirms it"
	ReadIt     What = "lets in whoever has a value that the intruder has read"
	Minted     What = "left a token that lives on"
	SetIt      What = "let the intruder set a password of its own"
)

func (v Violation) String() string {
	if v.What == ReadIt {
		return fmt.Sprintf("%s: %s (%s, %s); tried at %s", v.ID, v.What, v.Via, v.Last.UTC().Format(time.RFC3339Nano), v.Server)
	}
	s := fmt.Sprintf("%s: %s", v.ID, v.What)
	if v.Server != "" {
		s += fmt.Sprintf(" (%s at %s)", v.Via, v.Server)
	}
	if !v.DeadAt.IsZero() {
		s += ", dead since " + v.DeadAt.UTC().Format(time.RFC3339Nano)
	}
	if !v.Last.IsZero() {
		s += ", last " + v.Last.UTC().Format(time.RFC3339Nano)
	}
	return s
}

// Judge holds the intruder's results against the deaths that a ledger claims
// and returns what contradicts them, by credential and server. Both sides must
// have read the same clock. Times are compared to the millisecond, since that
// is what results and evidence are written in. Results of credentials that
// nobody claims dead are not looked at.
func Judge(results []Result, deaths []Death) []Violation {
	by := map[string][]Result{}
	for _, r := range results {
		by[r.ID] = append(by[r.ID], r)
	}
	var out []Violation
	for _, d := range deaths {
		dead := d.At.Truncate(time.Millisecond)
		if len(by[d.ID]) == 0 {
			out = append(out, Violation{What: NeverTried, ID: d.ID, DeadAt: d.At})
		}
		for _, r := range by[d.ID] {
			v := Violation{ID: d.ID, Server: r.Server, Via: r.Via, DeadAt: d.At}
			switch {
			case r.LastSuccess.Truncate(time.Millisecond).After(dead):
				v.What, v.Last = GotIn, r.LastSuccess.Time
			case r.LastAnswer.Before(dead):
				v.What, v.Last = NotTried, r.LastAnswer.Time
			default:
				continue
			}
			out = append(out, v)
		}
	}
	return sorted(out)
}

// sorted is by credential and server.
func sorted(out []Violation) []Violation {
	sort.SliceStable(out, func(i, j int) bool {
		a, b := out[i], out[j]
		return a.ID < b.ID || a.ID == b.ID && a.Server+a.Via < b.Server+b.Via
	})
	return out
}

// ReadResults picks the results and the last summary out of an intruder's
// output. When a report was asked for midway, the later result of the same
// credential, server and way stands.
func ReadResults(r io.Reader) ([]Result, Summary, error) {
	var out []Result
	var sum Summary
	at := map[[3]string]int{}
	sc := bufio.NewScanner(r)
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		var kind struct {
			Type string `json:"type"`
		}
		if err := json.Unmarshal(sc.Bytes(), &kind); err != nil {
			return nil, sum, fmt.Errorf("intruder: a line of its output is not JSON: %w", err)
		}
		var err error
		switch kind.Type {
		case typeSummary:
			err = json.Unmarshal(sc.Bytes(), &sum)
		case typeResult:
			var res Result
			err = json.Unmarshal(sc.Bytes(), &res)
			key := [3]string{res.ID, res.Server, res.Via}
			if i, ok := at[key]; ok {
				out[i] = res
			} else {
				at[key] = len(out)
				out = append(out, res)
			}
		}
		if err != nil {
			return nil, sum, fmt.Errorf("intruder: a %s line of its output: %w", kind.Type, err)
		}
	}
	return out, sum, sc.Err()
}
