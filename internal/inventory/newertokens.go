package inventory

import (
	"context"
	"slices"
	"strings"
	"time"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/paste"
	"rollcall/internal/vault/minted"
	"rollcall/internal/vault/ownmount"
)

// What fits a description is revoked, so a description ends only what the
// device can have had. The machine that replaces it commonly gets a token that
// is made in the same way: whoever runs the same file a week later would cut it
// off, and nothing gives it another one. So a token that was made after an
// earlier campaign of the device had ended those of that source, or since the
// device is off the network, is told by its accessor, and a person answers. A
// login of the roll may still be used by whoever stole it, so what comes of one
// is ended as ever.

// described is a token that fits what a source says of tokens.
type described struct {
	Candidate
	token liveToken
	ended time.Time // when a campaign ended tokens of that source; zero: none did
}

// endedBefore is when an earlier campaign of the device ended tokens that this
// source had named, by its name or by the same words; zero: none did.
func (p past) endedBefore(source, what string) (at time.Time) {
	for _, e := range p.ended {
		if (e.Source == source || e.What == what) && (at.IsZero() || e.At.Before(at)) {
			at = e.At
		}
	}
	return at
}

// endedTokens are what earlier campaigns ended of descriptions: what the last
// rolls say of themselves, and what they had carried on.
func endedTokens(last *ownmount.LastRoll) (out []credential.TokensEnded) {
	if last == nil {
		return nil
	}
	add := func(e credential.TokensEnded) {
		i := slices.IndexFunc(out, func(x credential.TokensEnded) bool { return x.Source == e.Source && x.What == e.What })
		switch {
		case i < 0:
			out = append(out, e)
		case e.At.Before(out[i].At):
			out[i].At = e.At
		}
	}
	for _, roll := range append([]ownmount.LastRoll{*last}, last.Before...) {
		for _, e := range roll.Ended {
			add(e)
		}
		for _, c := range roll.Credentials {
			at, dead := roll.DeadAt[c.ID]
			for _, r := range c.Reasons {
				if what, _, fits := strings.Cut(r.Detail, describedAs); dead && fits && r.Type == config.VaultTokens {
					add(credential.TokensEnded{Source: r.Source, What: what, At: at})
				}
			}
		}
	}
	return out
}

// describedAs stands between what a source says of tokens and what one of them
// is (sayTokens).
const describedAs = "; accessor "

// newer says why a token may be newer than all that the device had; "" where it
// is not.
func (l *lister) newer(f described) string {
	made := time.Unix(f.token.Made, 0) // whole seconds
	if !f.ended.IsZero() && !made.Before(f.ended.Truncate(time.Second)) && !l.exposedAgain(f.ended, made) {
		return "an earlier campaign of the device ended the tokens of that source at " + f.ended.UTC().Format(time.RFC3339)
	}
	c := l.c.Containment
	if !c.Said() || c.At.IsZero() || !made.After(c.At) || l.contained == nil {
		return ""
	}
	if now := l.contained(); !now.Holds() {
		return ""
	}
	return "the device is off the network since " + c.At.UTC().Format(time.RFC3339)
}

// exposedAgain: the file says that the device fell into foreign hands once
// more, after that campaign and before the token was made.
func (l *lister) exposedAgain(ended, made time.Time) bool {
	if c := l.c.Containment; c.Said() && !c.At.IsZero() && made.After(c.At) {
		return false
	}
	return slices.ContainsFunc(l.c.Exposure, func(i config.Interval) bool {
		return i.From.After(ended) && !made.Before(i.From) && (i.To.IsZero() || !made.After(i.To))
	})
}

// fits puts a token on the roll, or keeps it for a person's answer.
func (l *lister) fits(f described) {
	id := minted.TokenPrefix + f.token.accessor
	named := slices.ContainsFunc(l.c.Sources, func(s config.Source) bool { return slices.Contains(s.Accessors, f.token.accessor) }) ||
		slices.ContainsFunc(l.candidates, func(c Candidate) bool { return c.Kind.OnlyEnds() && c.Account == id && !c.Kept })
	if named || l.newer(f) == "" {
		l.seenTokens = append(l.seenTokens, f.token)
		l.add(f.Candidate)
		return
	}
	l.later = append(l.later, f)
}

// tokensOfLogins adds those of later that came of a login of the roll, and
// warns of the rest; false where the roll stays as it is.
func (l *lister) tokensOfLogins(ctx context.Context, roll *credential.Roll) (added bool, err error) {
	if len(l.later) == 0 {
		return false, nil
	}
	mine, of := loginsOfRoll(roll), l.ofLogins(roll)
	for _, f := range l.later {
		id := minted.TokenPrefix + f.token.accessor
		if slices.ContainsFunc(roll.Credentials, func(c credential.Credential) bool { return c.Subject == id }) {
			continue
		}
		stolen := f.ended.IsZero() && mine.minted(f.token.Token)
		if !stolen && f.ended.IsZero() {
			if stolen, err = of(ctx, f.token.Entity); err != nil {
				return false, err
			}
		}
		if stolen {
			l.seenTokens = append(l.seenTokens, f.token)
			l.add(f.Candidate)
			added = true
			continue
		}
		place := byAccessor + f.token.accessor
		if reason, ok := l.acceptedPlace(place); ok {
			l.warn(credential.FindingAccepted, "a token of Vault (%s) fits source %s, and lives on, which the campaign file accepts: %s", place, f.Reason.Source, reason)
			continue
		}
		l.warn(credential.FindingNewerToken, "a token of Vault fits source %s (%s) and was made later than what the device had, for %s: %s. It is not revoked, for the machine that does the device's work now may need it. If the device, or whoever stole something of it, has it, name it (accessor: [%s] in a source of type vault-tokens) and run again; if it is that machine's: %s",
			f.Reason.Source, f.Reason.Detail, l.newer(f), f.token.told(), f.token.accessor, paste.Entry("accept", "vault", place))
	}
	return added, nil
}
