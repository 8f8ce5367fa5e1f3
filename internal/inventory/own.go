package inventory

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"rollcall/config"
	"rollcall/internal/credential"
)

// ownIdentities are the credentials with which Rollcall works, by id: the place
// of each among the last waves of the campaign, or notByUs.
type ownIdentities map[string]int

// notByUs: nothing else could put a new value in force, and a campaign that tried
// it would cut the branch it sits on.
const notByUs = -1

// addPairs puts the bind identities that can reset each other on the roll, because
// whoever had the device may have met them. A single one is listed only where a
// source finds it.
func (l *lister) addPairs() {
	for _, name := range slices.Sorted(maps.Keys(l.c.Directories)) {
		d := l.c.Directories[name]
		if !d.Paired() {
			continue
		}
		for n, b := range d.Identities() {
			l.add(Candidate{
				Kind: d.Kind(), Authority: name, Account: b.DN, Path: &b.Password,
				Reason: credential.Reason{Source: "rollcall", Type: "own", Detail: fmt.Sprintf("Rollcall's own bind identity %c", 'A'+n)},
			})
		}
	}
}

// ownIdentities finds them. Those of a pair get a wave each, after all else: the
// first is dead before the second is touched, with nothing beside them.
func (l *lister) ownIdentities(ctx context.Context, known accounts) (ownIdentities, error) {
	own := ownIdentities{}
	last := 0
	for _, name := range slices.Sorted(maps.Keys(l.c.Directories)) {
		d := l.c.Directories[name]
		for _, b := range d.Identities() {
			for _, a := range known[reference{name, accountKey(b.DN)}] {
				own[name+"/"+a.Subject] = notByUs
				if d.Paired() {
					own[name+"/"+a.Subject] = last
					last++
				}
			}
		}
	}
	return own, l.ownRole(ctx, own)
}

// ownIdentities marks what nobody but a person can rotate. It stays on the roll as an
// open exception, since the device may know it too.
func (m *merger) ownIdentities(own ownIdentities) []Warning {
	var warnings []Warning
	for id, place := range own {
		l := m.lines[id]
		if l == nil || place != notByUs {
			continue
		}
		l.Problem = credential.OwnIdentity
		hint := "rotate it by hand after the campaign, with another identity"
		if _, ok := m.c.Directories[l.Authority]; ok {
			hint = fmt.Sprintf("name a pair under directories.%s.bind and each is rotated by the other, or %s", l.Authority, hint)
		}
		warnings = append(warnings, Warning(fmt.Sprintf("%s is what Rollcall itself logs in with: it stays open; %s", l.Name, hint)))
	}
	return warnings
}

// lastWave is the wave of one of a pair: one each, after those of the file and the rest.
func lastWave(c *config.Campaign, place int) int { return len(c.Waves) + 1 + place }
