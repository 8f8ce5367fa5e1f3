package inventory

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"rollcall/internal/credential"
	"rollcall/internal/vault"
)

// held is what a path holds, without its value.
type held struct {
	problem credential.Problem
	found   bool // it has a value
	exists  bool // it has a version
	ends    bool // Vault deletes that version by itself
	keys    []string
	also    []string // other fields that hold the same value
	more    string   // why it plainly looks like more than a bare secret
	field   string   // by which whoever reads it would connect to the device, at
	device  string   // this address of it
	before  []string // what may be a user's name before the value, or a part of it
}

func (l *lister) heldOf(live vault.Live) held {
	field, device := live.PointsAt(l.device)
	if !live.Plainly {
		live.More = ""
	}
	return held{live.Problem, live.Found, live.Version > 0, live.Ends && live.Problem == "", live.Keys, live.Also, live.More, field, device, live.Before()}
}

// looksAtOnce bounds the reads of Vault that the look has in flight.
const looksAtOnce = 16

// cutPaths names every path by the mount that serves it. One that no mount
// serves stays as it was written, and the look says so.
func (l *lister) cutPaths(ctx context.Context) error {
	for i, c := range l.candidates {
		if c.Path == nil {
			continue
		}
		p, err := l.cut(ctx, *c.Path)
		if err != nil {
			return err
		}
		l.candidates[i].Path = &p
	}
	if len(l.c.Confirm) == 0 {
		return nil
	}
	own := *l.c // the caller's stays as it is
	own.Confirm = slices.Clone(l.c.Confirm)
	for i, c := range own.Confirm {
		p, err := l.cut(ctx, c.Path)
		if err != nil {
			return err
		}
		own.Confirm[i].Path = p
	}
	l.c = &own
	return nil
}

func (l *lister) cut(ctx context.Context, p credential.Path) (credential.Path, error) {
	at, err := l.vault.Cut(ctx, p.Mount+"/"+p.Path)
	switch {
	case err == nil && at.Path != "":
		return credential.Path{Mount: at.Mount, Path: at.Path, Field: p.Field}, nil
	case err == nil, placeProblem(err) != "", vault.IsDenied(err):
		return p, nil
	}
	return p, fmt.Errorf("finding the mount of %s: %w; the listing was given up and nothing was changed", p, err)
}

// placeProblem is the problem with a path that an error of Vault tells.
func placeProblem(err error) credential.Problem {
	var e *vault.Error
	if errors.As(err, &e) {
		switch e.Kind {
		case vault.NoMount:
			return credential.NoMount
		case vault.NotKV2:
			return credential.NotKV2
		case vault.BadPath:
			return credential.Malformed
		}
	}
	return ""
}

// look reads, before anything is set, what every path of the roll holds: a
// value that could not be delivered, or that is no bare secret, keeps its
// credential open by its own reason. Values are not kept.
func (l *lister) look(ctx context.Context, roll *credential.Roll) error {
	var mu sync.Mutex
	blind := 0
	beside := l.newBeside(roll)
	l.rotates = map[credential.Path]bool{}
	for _, c := range roll.Credentials {
		for _, p := range c.Paths {
			l.rotates[p] = c.Problem == ""
		}
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(looksAtOnce)
	for i := range roll.Credentials {
		c := &roll.Credentials[i]
		if c.Problem != "" {
			continue
		}
		g.Go(func() error {
			found, unseen, err := l.lookAt(gctx, c, func(p credential.Path, keys []string) {
				mu.Lock()
				defer mu.Unlock()
				beside.see(p, keys)
			})
			mu.Lock()
			defer mu.Unlock()
			blind += unseen
			roll.Findings[c.ID] = append(roll.Findings[c.ID], found...)
			if len(roll.Findings[c.ID]) == 0 {
				delete(roll.Findings, c.ID)
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	beside.tell(l, roll)
	if err := l.sparesKeep(ctx, roll); err != nil {
		return err
	}
	if blind > 0 {
		l.warn(credential.FindingPlace, "this login may not read what %d paths hold, so it was not looked at: if it is a worker's, its policies do not cover them yet (run rollcall init again with this file); else plan with a worker's login", blind)
	}
	return nil
}

// lookAt looks at the paths of one credential. The first trouble is its
// problem; all are findings.
func (l *lister) lookAt(ctx context.Context, c *credential.Credential, saw func(credential.Path, []string)) (found []credential.Finding, blind int, err error) {
	trouble := func(p credential.Problem, format string, args ...any) {
		if c.Problem == "" {
			c.Problem = p
		}
		found = append(found, credential.Finding{Code: credential.FindingPlace, Detail: fmt.Sprintf(format, args...)})
	}
	usable := 0
	var unread []credential.Path
	defer func() {
		c.Paths = slices.DeleteFunc(slices.Clone(c.Paths), func(p credential.Path) bool { return slices.Contains(unread, p) })
	}()
	for _, p := range c.Paths {
		if p.Mount == l.c.Vault.Mount {
			usable++ // Rollcall's own, where nobody else writes
			continue
		}
		h, known := l.held[p]
		if !known {
			live, err := l.vault.ReadLive(ctx, p, 0)
			switch problem := placeProblem(err); {
			case problem != "":
				trouble(problem, "%s: %v", p, err)
				continue
			case vault.IsDenied(err):
				blind++
				usable++
				if err := l.keeps(ctx, c, p, held{}, trouble); err != nil {
					return nil, 0, err
				}
				continue
			case err != nil:
				return nil, 0, fmt.Errorf("looking at %s: %w; the listing was given up and nothing was changed", p, err)
			}
			h = l.heldOf(live)
		}
		saw(p, h.keys)
		if err := l.namesBefore(ctx, c, &h); err != nil {
			return nil, 0, err
		}
		also := slices.DeleteFunc(slices.Clone(h.also), func(field string) bool {
			at := credential.Path{Mount: p.Mount, Path: p.Path, Field: field}
			if l.rotates[at] && !slices.Contains(c.Paths, at) {
				c.Beside = append(c.Beside, at)
			}
			return l.rotates[at]
		})
		if h.field != "" {
			what := fmt.Sprintf("%s: its field %q sends whoever reads it to %s, an address of the device, with the new value", p, h.field, h.device)
			if slices.Contains(c.Accepted, credential.PointsAtDevice) {
				found = append(found, credential.Finding{Code: credential.FindingPointsAtDevice, Detail: what + ", as the campaign file accepts"})
			} else {
				trouble(credential.PointsAtDevice, "%s: name the machine that it is by now; or, if nothing reads it, say so (accept: - {account: %q, problem: points-at-device, reason: …})%s", what, c.Name, ways(c, p, "do that"))
			}
		}
		if len(also) > 0 {
			if slices.Contains(c.Accepted, credential.CopyBeside) {
				found = append(found, credential.Finding{Code: credential.FindingCopyBeside, Detail: fmt.Sprintf("%s: the same value is in %s of that secret too, which stays as it is: let what reads it there read %q, or it is cut off", p, quoted(also), p.Field)})
			} else {
				trouble(credential.CopyBeside, "%s: the same value is in %s of that secret too, which would stay as it is, and what reads it there would be cut off: let it read %q and take the copy out; or, if nothing reads it, say so (accept: - {account: %q, problem: copy-beside, reason: …})%s",
					p, quoted(also), p.Field, c.Name, ways(c, p, "do that"))
			}
		}
		if h.more != "" && !slices.Contains(c.Ours, p) {
			found = append(found, credential.Finding{Code: credential.FindingPlace, Detail: fmt.Sprintf("%s: the value looks like more than a bare secret (%s): where the account does not accept it as it stands, nothing is set, and it stays open as not-a-bare-secret%s", p, h.more, ways(c, p, ownField(c, p)))})
		}
		named := slices.Contains(c.Named, p)
		before := c.Problem
		if err := l.mayWrite(ctx, c, p, h, trouble); err != nil {
			return nil, 0, err
		}
		if c.Problem != before && c.Problem == credential.DeletesItself {
			continue
		}
		switch {
		case h.problem == credential.DeletedVersion && c.Adopted && slices.Contains(c.Ours, p):
			usable++ // made for this credential, and fetched or deleted since
		case c.Adopted && c.Spare != nil && h.problem != "":
			found = append(found, credential.Finding{Code: credential.FindingPlace, Detail: fmt.Sprintf("%s: it is there and not Rollcall's (%s): it is left as it is, and the new value goes to %s", p, h.problem, c.Spare)})
			usable++
		case !h.exists && !c.Adopted && misspelt(p) != "":
			trouble(credential.Malformed, "%s: nothing is there, and %s", p, misspelt(p))
		case !h.exists && apiPath(p):
			trouble(credential.APIPath, "%s: nothing is there, and mount/data/… is how Vault's API writes a path: leave data/ out", p)
		case h.problem == credential.NoField:
			if claim(c, p) && namedBeside(c, p) {
				unread = append(unread, p)
				found = append(found, credential.Finding{Code: credential.FindingPlace, Detail: fmt.Sprintf("%s: the secret's own metadata names a field that it does not have; the one that somebody named there is taken", p)})
				continue
			}
			trouble(h.problem, "%s: the secret is there and has no field %q; it has %s%s", p, p.Field, quoted(h.keys), ways(c, p, nameField(c, p)))
		case h.problem == credential.NotBare:
			trouble(h.problem, "%s: the field holds more than a bare secret (a document, several lines, an address), and which part is the secret is not known: give the secret a field of its own%s", p, ways(c, p, ownField(c, p)))
		case h.problem == credential.UnusableValue:
			trouble(h.problem, "%s: the field is neither text nor a number; the secret has %s%s", p, quoted(h.keys), ways(c, p, ownField(c, p)))
		case h.problem == credential.DeletedVersion && c.Spare == nil:
			trouble(h.problem, "%s: its current version is deleted: `vault kv undelete` brings it and its other fields back", p)
		case h.problem == credential.DeletedVersion:
			found = append(found, credential.Finding{Code: credential.FindingPlace, Detail: fmt.Sprintf("%s: its current version is deleted; it is left as it is, for `vault kv undelete` brings it back, and the new value goes to %s", p, c.Spare)})
		case h.found, !h.exists && named:
			usable++
		}
	}
	if c.Hearsay && usable == 0 && c.Problem == "" {
		trouble(credential.Unproved, "nothing but a secret's own metadata names %s, and the secret holds no value that the account could accept; %s", c.Name, question(c.Name, c.Paths[0]))
	}
	return found, blind, nil
}

// apiPath reports whether a path looks like one of Vault's API: mount/data/….
func apiPath(p credential.Path) bool {
	return strings.HasPrefix(p.Path, "data/") || strings.HasPrefix(p.Path, "metadata/")
}

// misspelt says how a path is written otherwise than Vault keeps it; empty if
// nothing shows. Secrets may have such names all the same, so it is said only
// where nothing lies. Empty segments, "." and ".." name nothing
// (vault.BadPath).
func misspelt(p credential.Path) string {
	for segment := range strings.SplitSeq(p.Mount+"/"+p.Path, "/") {
		if strings.TrimSpace(segment) != segment {
			return fmt.Sprintf("its segment %q has a blank at an end: take it out", segment)
		}
		if plain, err := url.PathUnescape(segment); err == nil && plain != segment {
			return fmt.Sprintf("its segment %q is written as in a URL: Vault keeps it as %q, so write that", segment, plain)
		}
	}
	return ""
}

func quoted(keys []string) string {
	if len(keys) == 0 {
		return "no field at all"
	}
	return fmt.Sprintf("%q", keys)
}
