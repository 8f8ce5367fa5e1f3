package intruder

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
)

// Types of output lines of the eavesdropper.
const (
	TypeListening    = "listening"
	typeHeard        = "heard"
	typeEavesdropper = "eavesdropper"
)

// Listening is written when everything that can be read was read for the first
// time, so that a campaign that begins now begins under its eyes.
type Listening struct {
	Type   string `json:"type"` // "listening"
	Logins int    `json:"logins"`
	Tokens int    `json:"tokens"`
	Places int    `json:"places"`
}

// Heard is one value that was read in Vault: where, when, and which doors it
// opened at the end. The value itself stays in the intruder's memory.
type Heard struct {
	Type    string `json:"type"` // "heard"
	Place   string `json:"place"`
	Field   string `json:"field"`
	Version int    `json:"version"`
	// New: the version was made after the intruder began to listen.
	New bool   `json:"new"`
	By  string `json:"by"`  // the stolen login behind the token that read it first
	Via string `json:"via"` // what kind of token that was: see Via…
	At  Stamp  `json:"at"`
	// ID is the stolen credential whose value lay there before; empty if there
	// is none.
	ID    string   `json:"id,omitempty"`
	Opens []Opened `json:"opens,omitempty"` // at the end, and only then
}

// Opened is an account that let the intruder in with what it was not given.
type Opened struct {
	ID     string `json:"id"`
	Server string `json:"server"`
}

// Eavesdropper sums up what was read. A report that is made midway has no
// doors yet.
type Eavesdropper struct {
	Type        string `json:"type"`   // "eavesdropper"
	Logins      int    `json:"logins"` // stolen logins to Vault that gave a token at some time
	Tokens      int    `json:"tokens"` // tokens held at some time
	TokensAlive int    `json:"tokens_alive"`
	Alive       []Held `json:"alive,omitempty"` // which those are
	Reads       int    `json:"reads"`           // of secrets, their versions and metadata, answered
	Places      int    `json:"places"`
	Values      int    `json:"values"`   // distinct ones
	New         int    `json:"new"`      // of those, made since it listens
	InForce     int    `json:"in_force"` // of all, beyond the stolen ones: opened a door at the end

	Connections     int      `json:"connections"`                // LDAP connections that it bound with stolen values and kept
	ConnectionsOpen int      `json:"connections_open"`           // of those, still answered at the end
	OwnPasswordSet  []Opened `json:"own_password_set,omitempty"` // accounts that took a new password over one of those, at the end
}

// Held is a token of a stolen login.
type Held struct {
	ID     string `json:"id"`  // of the login
	Via    string `json:"via"` // what kind of token
	Server string `json:"server"`
}

// Overheard is what an eavesdropping intruder said.
type Overheard struct {
	Sum   Eavesdropper
	Heard []Heard
}

// sum counts. The lock is held.
func (e *ear) sum() Eavesdropper {
	s := Eavesdropper{Type: typeEavesdropper, Tokens: len(e.tokens), Reads: e.reads, Values: len(e.values),
		Connections: len(e.kept), OwnPasswordSet: e.own}
	logins := map[string]bool{}
	for _, t := range e.tokens {
		logins[t.of.ID] = true
		if t.alive {
			s.TokensAlive++
			s.Alive = append(s.Alive, Held{t.of.ID, t.via, t.door.key.server})
		}
	}
	s.Logins = len(logins)
	for _, p := range e.places {
		if p.version > 0 {
			s.Places++
		}
	}
	for _, v := range e.order {
		if v.first.New {
			s.New++
		}
		if len(v.first.Opens) > 0 {
			s.InForce++
		}
	}
	for _, k := range e.kept {
		if k.open {
			s.ConnectionsOpen++
		}
	}
	return s
}

// report writes what was heard and the sum of it.
func (e *ear) report() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.on {
		return
	}
	for _, v := range e.order {
		if v.first.New || len(v.first.Opens) > 0 {
			e.r.out.write(v.first)
		}
	}
	e.r.out.write(e.sum())
}

// ReadOverheard picks the eavesdropper's lines out of an intruder's output. Of
// several reports the last one stands. Without one, all is zero.
func ReadOverheard(r io.Reader) (Overheard, error) {
	var last, now Overheard
	sc := bufio.NewScanner(r)
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		var kind struct {
			Type string `json:"type"`
		}
		if err := json.Unmarshal(sc.Bytes(), &kind); err != nil {
			return last, fmt.Errorf("intruder: a line of its output is not JSON: %w", err)
		}
		switch kind.Type {
		case typeHeard:
			var h Heard
			if err := json.Unmarshal(sc.Bytes(), &h); err != nil {
				return last, fmt.Errorf("intruder: a %s line of its output: %w", kind.Type, err)
			}
			now.Heard = append(now.Heard, h)
		case typeEavesdropper:
			if err := json.Unmarshal(sc.Bytes(), &now.Sum); err != nil {
				return last, fmt.Errorf("intruder: a %s line of its output: %w", kind.Type, err)
			}
			last, now = now, Overheard{}
		}
	}
	return last, sc.Err()
}

// Judge returns what must not be: a value in force that the intruder has read
// and that nobody had stolen before, once for each account, and a password that
// it set for itself; and a token that outlived the death of its login. The
// stolen values themselves are for the other Judge.
func (o Overheard) Judge(deaths []Death) []Violation {
	var out []Violation
	seen := map[string]bool{}
	for _, d := range deaths {
		for _, t := range o.Sum.Alive {
			if t.ID == d.ID {
				out = append(out, Violation{What: Minted, ID: t.ID, Server: t.Server, Via: t.Via, DeadAt: d.At})
			}
		}
	}
	for _, h := range o.Heard {
		for _, door := range h.Opens {
			if seen[door.ID] {
				continue
			}
			seen[door.ID] = true
			out = append(out, Violation{What: ReadIt, ID: door.ID, Server: door.Server,
				Via: fmt.Sprintf("%s version %d, with a %s of %s", h.Place, h.Version, h.Via, h.By), Last: h.At.Time})
		}
	}
	for _, door := range o.Sum.OwnPasswordSet {
		out = append(out, Violation{What: SetIt, ID: door.ID, Server: door.Server, Via: Kept})
	}
	return sorted(out)
}
