package inventory

import (
	"context"
	"fmt"
	"slices"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/paste"
	"rollcall/internal/vault"
)

// pathsLook is a look at the paths of one credential.
type pathsLook struct {
	*lister
	c   *credential.Credential
	saw func(credential.Path, held) // is told what each path holds

	made   *newPlaces
	unmade []unmade

	found  []credential.Finding
	blind  int // paths that we may not read
	unled  int // paths of which nobody can tell where they led
	usable int // paths that take a new value, or hold the old one
	unread []credential.Path
}

// trouble is a finding, and the first is the credential's problem.
func (k *pathsLook) trouble(p credential.Problem, format string, args ...any) {
	if k.c.Problem == "" {
		k.c.Problem = p
	}
	k.find(credential.FindingPlace, format, args...)
}

func (k *pathsLook) find(code credential.FindingCode, format string, args ...any) {
	k.found = append(k.found, credential.Finding{Code: code, Detail: fmt.Sprintf(format, args...)})
}

// all looks at each path, and takes those away that hold nothing of it.
func (k *pathsLook) all(ctx context.Context) error {
	k.c.LeadsKnown, k.c.LeadsBut = true, k.others()
	for _, p := range k.c.Paths {
		if err := k.one(ctx, p); err != nil {
			return err
		}
	}
	if err := k.behind(ctx); err != nil {
		return err
	}
	if k.c.Hearsay && k.usable == 0 && k.c.Problem == "" {
		k.trouble(credential.Unproved, "nothing but a secret's own word names %s, and the secret holds no value that the account could accept; %s", k.c.Name, question(k.c.Name, k.c.Paths[0]))
	}
	k.c.Paths = slices.DeleteFunc(slices.Clone(k.c.Paths), func(p credential.Path) bool { return slices.Contains(k.unread, p) })
	return nil
}

func (k *pathsLook) one(ctx context.Context, p credential.Path) error {
	if p.Mount == k.lister.c.Vault.Mount {
		k.usable++ // Rollcall's own, where nobody else writes
		k.noteLeads(p, credential.LeadsUnseen)
		return nil
	}
	h, there, err := k.holds(ctx, p)
	if err != nil {
		return err
	}
	if !there {
		k.noteLeads(p, credential.LeadsUnseen)
		return nil
	}
	k.saw(p, h)
	if err := k.confirmedNow(ctx, p); err != nil {
		return err
	}
	if err := k.namesBefore(ctx, k.c, &h); err != nil {
		return err
	}
	also := k.copies(p, h)
	k.pointsAtDevice(p, h)
	if err := k.leadsElsewhere(ctx, p, h); err != nil {
		return err
	}
	k.copiesBeside(p, also)
	if h.more != "" && !slices.Contains(k.c.Ours, p) {
		k.find(credential.FindingPlace, "%s: the value looks like more than a bare secret (%s): where the account does not accept it as it stands, nothing is set, and it stays open as not-a-bare-secret%s", p, h.more, ways(k.c, p, ownField(k.c, p)))
	}
	for _, d := range k.c.Doors {
		if why := h.closed[d.Door]; why != "" {
			k.find(credential.FindingNotCarried, "%s: no login at door %s can carry the value there (%s), so whether that door still takes it cannot be asked: it is rotated, and stays open as not-carried. End what the door keeps, and leave it out (rollcall leave-out --door) once that is over", p, d.Door, why)
		}
	}
	named, before := slices.Contains(k.c.Named, p), k.c.Problem
	if err := k.mayWrite(ctx, k.c, p, h, k.trouble); err != nil {
		return err
	}
	if k.c.Problem == before || k.c.Problem != credential.DeletesItself {
		k.state(p, h, named)
	}
	return nil
}

// holds is what a path holds; false where that is not shown, which is said.
func (k *pathsLook) holds(ctx context.Context, p credential.Path) (held, bool, error) {
	if h, known := k.held.get(p); known {
		return h, true, nil
	}
	asked := time.Now()
	live, err := k.vault.ReadLive(ctx, p, 0)
	switch problem := placeProblem(err); {
	case problem == credential.NoMount && k.c.Adopted:
		k.trouble(problem, "%s: Vault has no mount there that this login can see; %s", p, k.lister.c.Vault.AdoptElsewhere())
		return held{}, false, nil
	case problem != "":
		k.trouble(problem, "%s: %v", p, err)
		return held{}, false, nil
	case vault.IsDenied(err):
		k.blind++
		k.usable++
		return held{}, false, k.keeps(ctx, k.c, p, held{}, k.trouble)
	case err != nil:
		return held{}, false, fmt.Errorf("looking at %s: %w; the listing was given up and nothing was changed", p, err)
	}
	k.lister.saw(p, live, asked)
	return k.heldOf(live), true, nil
}

// copies are the other fields of the secret with the same value, without those
// that the roll rotates by themselves.
func (k *pathsLook) copies(p credential.Path, h held) []string {
	return slices.DeleteFunc(slices.Clone(h.also), func(field string) bool {
		at := credential.Path{Mount: p.Mount, Path: p.Path, Field: field}
		if k.rotates[at] && !slices.Contains(k.c.Paths, at) {
			k.c.Beside = append(k.c.Beside, at)
		}
		return k.rotates[at]
	})
}

func (k *pathsLook) pointsAtDevice(p credential.Path, h held) {
	if h.field == "" {
		return
	}
	what := fmt.Sprintf("%s: its field %q sends whoever reads it to %s, %s, with the new value", p, h.field, h.device, k.taken.Whose(h.device))
	if slices.Contains(k.c.Accepted, credential.PointsAtDevice) {
		k.find(credential.FindingPointsAtDevice, "%s, as the campaign file accepts", what)
		return
	}
	k.trouble(credential.PointsAtDevice, "%s: name the machine that it is by now; or, if nothing reads it, say so (%s)%s", what, paste.Entry("accept", "account", k.c.Name, "problem", string(credential.PointsAtDevice)), ways(k.c, p, "do that"))
}

func (k *pathsLook) copiesBeside(p credential.Path, also []string) {
	if len(also) == 0 {
		return
	}
	if slices.Contains(k.c.Accepted, credential.CopyBeside) {
		k.find(credential.FindingCopyBeside, "%s: the same value is in %s of that secret too, which stays as it is: let what reads it there read %q, or it is cut off", p, quoted(also), p.Field)
		return
	}
	k.trouble(credential.CopyBeside, "%s: the same value is in %s of that secret too, which would stay as it is, and what reads it there would be cut off: let it read %q and take the copy out; or, if nothing reads it, say so (%s)%s",
		p, quoted(also), p.Field, paste.Entry("accept", "account", k.c.Name, "problem", string(credential.CopyBeside)), ways(k.c, p, "do that"))
}

// state says whether a path can take a new value as it is.
func (k *pathsLook) state(p credential.Path, h held, named bool) {
	c := k.c
	switch {
	case h.problem == credential.DeletedVersion && c.Adopted && slices.Contains(c.Ours, p):
		k.usable++ // made for this credential, and fetched or deleted since
	case c.Adopted && c.Spare != nil && h.problem != "":
		k.find(credential.FindingPlace, "%s: it is there and not Rollcall's (%s): it is left as it is, and the new value goes to %s", p, h.problem, c.Spare)
		k.usable++
	case !h.exists && !c.Adopted && misspelt(p) != "":
		k.trouble(credential.Malformed, "%s: nothing is there, and %s", p, misspelt(p))
	case !h.exists && apiPath(p):
		k.trouble(credential.APIPath, "%s: nothing is there, and mount/data/… is how Vault's API writes a path: leave data/ out", p)
	case h.problem == credential.NoField && c.Claim(p) && namedBeside(c, p):
		k.unread = append(k.unread, p)
		k.find(credential.FindingPlace, "%s: the secret's own metadata names a field that it does not have; the one that somebody named there is taken", p)
	case h.problem == credential.NoField && slices.Contains(h.keys, p.Field):
		k.trouble(h.problem, "%s: the field %q is empty, and the secret has others, of which one may be what its consumers read: it has %s%s", p, p.Field, quoted(h.keys), ways(c, p, nameField(c, p)))
	case h.problem == credential.NoField:
		k.trouble(h.problem, "%s: the secret is there and has no field %q; it has %s%s", p, p.Field, quoted(h.keys), ways(c, p, nameField(c, p)))
	case h.problem == credential.NotBare:
		k.trouble(h.problem, "%s: the field holds more than a bare secret (a document, several lines, an address), and which part is the secret is not known, or what it means to its reader ($, a backslash, %%(…)): give the secret a field of its own%s", p, ways(c, p, ownField(c, p)))
	case h.problem == credential.UnusableValue:
		k.trouble(h.problem, "%s: the field is neither text nor a number; the secret has %s%s", p, quoted(h.keys), ways(c, p, ownField(c, p)))
	case h.problem == credential.DeletedVersion && c.Spare == nil:
		k.trouble(h.problem, "%s: its current version is deleted: `vault kv undelete` brings it and its other fields back", p)
	case h.problem == credential.DeletedVersion:
		k.find(credential.FindingPlace, "%s: its current version is deleted; it is left as it is, for `vault kv undelete` brings it back, and the new value goes to %s", p, c.Spare)
	case h.found:
		k.usable++
	case h.exists && slices.Contains(h.keys, p.Field):
		k.find(credential.FindingPlace, "%s: the field %q is empty, and it is left as it is: nobody reads a password there%s", p, p.Field, ways(c, p, nameField(c, p)))
	case !h.exists && named:
		k.usable++
		if u, asked := k.made.at(c, p); asked {
			k.unmade = append(k.unmade, u)
		}
	}
}
