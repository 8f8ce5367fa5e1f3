package inventory

import (
	"fmt"
	"slices"
	"strings"

	"rollcall/internal/credential"
	"rollcall/internal/paste"
	"rollcall/internal/vault/ownmount"
)

// past is what is known of earlier campaigns; the zero value is nothing.
type past struct {
	last      *ownmount.LastRoll
	leftovers []ownmount.Leftover
	kept      []kept
	tasks     []kept // of people

	// unlike are accounts with the name of one of the roll that refused what
	// was stolen of it, by id (credential.Roll.Unlike).
	unlike []string

	// ended is what campaigns ended of tokens by description.
	ended []credential.TokensEnded
}

// openThen are the credentials of earlier rolls of the device that nobody has
// proved dead there, by id, each with its roll: the newest that has it.
func (p past) openThen() map[string]then {
	out := map[string]then{}
	if p.last == nil {
		return out
	}
	known := map[string]bool{}
	for _, roll := range append([]ownmount.LastRoll{*p.last}, p.last.Before...) {
		for _, c := range roll.Credentials {
			if !known[c.ID] && roll.Dead != nil && !roll.Dead[c.ID] {
				out[c.ID] = then{c, &roll}
			}
			known[c.ID] = true
		}
	}
	return out
}

// then is a credential as an earlier roll had it.
type then struct {
	credential.Credential
	roll *ownmount.LastRoll
}

// unasked: it is kept because its name is all that is known of it.
func (p past) unasked(id string) bool {
	return slices.ContainsFunc(p.kept, func(k kept) bool { return k.ID == id && k.Problem == credential.SameName })
}

// answered takes such a one off; false if there is none.
func (p *past) answered(id string) bool {
	had := p.unasked(id)
	p.kept = slices.DeleteFunc(p.kept, func(k kept) bool { return k.ID == id && k.Problem == credential.SameName })
	return had
}

// kept is a credential that an earlier campaign did not bring to its end.
type kept struct {
	credential.Credential
	campaign string // which left it open
	staged   bool   // with a new value that may be in force
	rotate   bool   // it may be rotated although nothing names it: no person has taken it off
	leftOut  bool   // a person had excluded it there, and it is not said that he still does
}

// was says what became of it there.
func (k kept) was() string {
	if k.leftOut {
		return leftOutIn + k.campaign
	}
	return openIn + k.campaign
}

// openedBy is the campaign that left it open first, as its reasons have it.
func openedBy(reasons []credential.Reason, otherwise string) string {
	for _, r := range reasons {
		for _, was := range []string{openIn, leftOutIn} {
			if from, ok := strings.CutPrefix(r.Detail, was); ok && r.Type == earlierType {
				return strings.TrimSuffix(from, takenOff)
			}
		}
	}
	return otherwise
}

func (k kept) candidate() Candidate {
	detail := k.was()
	if !k.rotate {
		detail += takenOff
	}
	return Candidate{Kind: k.Kind, Authority: k.Authority, Account: k.Subject, Kept: true, Reason: credential.Reason{Source: "rollcall", Type: earlierType, Detail: detail}}
}

func notNamedDo(k kept) string {
	return fmt.Sprintf("name it again, or exclude it with a reason (exclude: account or path, or campaign: %s for all that was left open there and is named no more)", paste.YAML(k.campaign))
}

// name says whose name it had.
func (k kept) name() string {
	for _, r := range k.Reasons {
		if r.Type == nameSource {
			return r.Detail
		}
	}
	return "it had the name of an account of that roll"
}
