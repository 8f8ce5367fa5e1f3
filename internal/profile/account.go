package profile

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/plural"
)

// Account says of each line of p what is known of it: by the answers a, which
// may be nil where there is no file yet, and by the credentials of a roll, to
// which it adds the lines that only their kind gives them. newer is the profile
// of that name in this build, or nil: what it has besides is asked as well. now
// decides what has fallen due.
func Account(p, newer *Profile, file string, a *Answers, roll []credential.Credential, now time.Time) *credential.Accounting {
	out := begin(p)
	matchByKind(p, roll)
	found := tally(p, roll)
	for _, l := range p.Lines {
		out.Lines = append(out.Lines, answerOf(l, file, a, found[l.ID], now))
	}
	out.Lines = append(out.Lines, since(p, newer, file)...)
	return out
}

// AccountOffline takes the answers at their word: no source was asked.
func AccountOffline(p *Profile, file string, a *Answers, now time.Time) *credential.Accounting {
	out := begin(p)
	for _, l := range p.Lines {
		var found lineTally
		if g := a.Of(l.ID); g != nil && g.Answer == credential.Covered {
			found.firm = 1
		}
		one := answerOf(l, file, a, found, now)
		one.Credentials = 0
		out.Lines = append(out.Lines, one)
	}
	return out
}

func begin(p *Profile) *credential.Accounting {
	return &credential.Accounting{Profile: p.Name, Title: p.Title, Reviewed: p.Reviewed, Digest: p.Digest}
}

// DropMisfits takes away lines that nothing but a secret's own metadata names
// and that a credential of its kind cannot be what they are about: whoever had
// the device may have written that, and a wrong line at a source ends every
// campaign. It returns what was dropped, for people, by credential id.
func DropMisfits(p *Profile, roll []credential.Credential) map[string][]string {
	out := map[string][]string{}
	for i := range roll {
		c := &roll[i]
		c.Lines = slices.DeleteFunc(c.Lines, func(r credential.LineRef) bool {
			l, known := p.Line(r.Line)
			misfit := r.By == credential.ByMetadata && known && !c.Kind.MayAnswer(l.Kind)
			if misfit {
				out[c.ID] = append(out[c.ID], fmt.Sprintf("its custom_metadata names line %s, which is about a %s; %s is none", r.Line, l.Kind, c.Kind))
			}
			return misfit
		})
	}
	return out
}

// lineTally counts the credentials that answer a line.
type lineTally struct {
	firm    int // somebody other than the secret itself says so
	hearsay int // nothing but a secret's own word says so, or that it is the device's
	matched int // of firm: by their kind alone
	misfit  credential.Kind
	misfits int // of a kind that cannot be what the line is about
}

// matchByKind gives a credential that names no line the only one of its kind.
// What nothing but a secret's own word ties to the device is left out: whoever
// had the device could answer a line so.
func matchByKind(p *Profile, roll []credential.Credential) {
	only, several := map[credential.LineKind]string{}, map[credential.LineKind]bool{}
	for _, l := range p.Lines {
		_, twice := only[l.Kind]
		several[l.Kind] = several[l.Kind] || twice
		only[l.Kind] = l.ID
	}
	for i := range roll {
		c := &roll[i]
		if c.Own {
			c.Lines = nil // it is no credential of the device
		}
		kind := c.Kind.Usual()
		if len(c.Lines) == 0 && !c.Own && !c.Hearsay && c.Problem == "" && kind != "" && only[kind] != "" && !several[kind] {
			c.Lines = []credential.LineRef{{Line: only[kind], By: credential.ByKind}}
		}
	}
}

// tally counts what each line has on the roll.
func tally(p *Profile, roll []credential.Credential) map[string]lineTally {
	out := map[string]lineTally{}
	for _, c := range roll {
		if c.Own {
			continue
		}
		for _, id := range linesOf(c) {
			l, known := p.Line(id)
			if !known {
				continue
			}
			t := out[id]
			switch {
			case !c.Kind.MayAnswer(l.Kind):
				t.misfits++
				t.misfit = cmp.Or(t.misfit, c.Kind)
			case !c.Hearsay && slices.ContainsFunc(c.Lines, func(r credential.LineRef) bool { return r.Line == id && r.By != credential.ByMetadata }):
				t.firm++
			default:
				t.hearsay++
			}
			if slices.Contains(c.Lines, credential.LineRef{Line: id, By: credential.ByKind}) {
				t.matched++
			}
			out[id] = t
		}
	}
	return out
}

// linesOf are the lines that a credential answers, each once.
func linesOf(c credential.Credential) (ids []string) {
	for _, r := range c.Lines {
		if !slices.Contains(ids, r.Line) {
			ids = append(ids, r.Line)
		}
	}
	return ids
}

// answerOf weighs what a person says against what the sources found. Its words
// name no account: they travel through Temporal.
func answerOf(l Line, file string, a *Answers, found lineTally, now time.Time) credential.LineAnswer {
	out := credential.LineAnswer{Line: l.ID, Kind: l.Kind, What: l.What, Group: l.Group, Ask: l.Ask, At: file, Credentials: found.firm + found.hearsay, Matched: found.matched}
	given := a.Of(l.ID)
	answer := credential.Unanswered
	if given != nil {
		out.At = fmt.Sprintf("%s:%d", file, given.At)
		answer = given.Answer
	}
	if answer != credential.Unanswered {
		out.Reason, out.Owner, out.Due, out.By, out.On = given.Reason, given.Owner, given.Due, given.By, given.On
	}
	switch {
	case found.misfits > 0:
		out.Wrong, out.Why = true, fmt.Sprintf("%s that it names cannot be what it is about: %s is no %s; correct line where it is named", creds(found.misfits), found.misfit, l.Kind)
	case answer != credential.Unanswered && given.On.After(now.Add(24*time.Hour)):
		out.Wrong, out.Why = true, fmt.Sprintf("was answered on %s, which has not come yet", given.On.Format(time.DateOnly))
	case answer == credential.None && found.firm == 0 && found.hearsay > 0:
		out.Why = fmt.Sprintf("says none, and metadata of %s in Vault, which the device may have written, says otherwise: exclude those paths, or take line out of their custom_metadata", secrets(found.hearsay))
	case answer == credential.None && out.Credentials > 0:
		out.Wrong, out.Why = true, fmt.Sprintf("says none, and %s of the roll answer it", creds(out.Credentials))
	case answer == credential.Covered && out.Credentials == 0:
		out.Wrong, out.Why = true, "says covered, and no credential of the roll answers it: name the line at a source (line), in a manifest's row or in the secret's custom_metadata"
	case answer == credential.Later && !now.Before(given.Due):
		out.Why = fmt.Sprintf("was left for later and fell due on %s (%s)", given.Due.Format(time.DateOnly), given.Owner)
	case answer == credential.Unanswered && found.firm > 0:
		out.Answer = credential.Covered
	case answer == credential.Unanswered && found.hearsay > 0:
		out.Why = fmt.Sprintf("nothing but metadata of secrets, which the device may have written, says that %s answer it: write covered if that is right", creds(found.hearsay))
	case answer == credential.Unanswered:
		out.Why = "has no answer"
	default:
		out.Answer = answer
	}
	return out
}

func secrets(n int) string { return plural.Count(n, "secret", "secrets") }

func creds(n int) string { return plural.Count(n, "credential", "credentials") }

// since are the lines that a newer profile has besides.
func since(p, newer *Profile, file string) (out []credential.LineAnswer) {
	if newer == nil || newer.Reviewed < p.Reviewed {
		return nil
	}
	for _, l := range newer.Lines {
		if _, had := p.Line(l.ID); !had {
			out = append(out, credential.LineAnswer{Line: l.ID, Kind: l.Kind, What: l.What, Group: l.Group, Ask: l.Ask, At: file,
				Why: "is new in the profile of " + newer.Reviewed + ", and nobody was asked"})
		}
	}
	return out
}
