package inventory

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/plural"
	"rollcall/internal/vault"
)

// held is what a path holds, without its value.
type held struct {
	heldAlike
	heldOwn
}

// heldAlike is what very many secrets have in the same words.
type heldAlike struct {
	problem credential.Problem
	found   bool // it has a value
	exists  bool // it has a version
	ends    bool // Vault deletes that version by itself
	keys    []string
	also    []string          // other fields that hold the same value
	more    string            // why it plainly looks like more than a bare secret
	field   string            // by which whoever reads it would connect to a compromised device, at
	device  string            // this address of it
	leads   vault.Leads       // hosts to which whoever reads it is sent
	quiet   []string          // fields that hold something and lead nowhere
	secrets []string          // fields that look like credentials
	besides bool              // this field is more than the one secret in it
	closed  map[string]string // doors of the file at which no login carries the value, each with the reason
}

// heldOwn is what each has of its own.
type heldOwn struct {
	version int       // the current one
	written time.Time // when that was written
	before  []string  // what may be a user's name before the value, or a part of it
	whose   saysWhose // whose the secret says that it is
	owner   string    // subject of the credential that Rollcall made the secret for
}

// holdings are what paths hold. The zero value is ready.
type holdings struct {
	of    map[credential.Path]*holding
	alike interned[heldAlike]
}

type holding struct {
	*heldAlike
	heldOwn
}

func (k *holdings) put(p credential.Path, h held) {
	if k.of == nil {
		k.of, k.alike = map[credential.Path]*holding{}, interned[heldAlike]{}
	}
	k.of[p] = &holding{k.alike.one(h.heldAlike), h.heldOwn}
}

// get is false for a path of which nothing was put in.
func (k *holdings) get(p credential.Path) (held, bool) {
	if k == nil {
		return held{}, false
	}
	one, known := k.of[p]
	if !known {
		return held{}, false
	}
	return held{*one.heldAlike, one.heldOwn}, true
}

func (l *lister) heldOf(live vault.Live) held {
	l.prose.see(live.Value)
	field, device := live.PointsAt(l.taken.Taken())
	if !live.Plainly {
		live.More = ""
	}
	secrets, besides := live.Credentials(looksSecret)
	leads := live.Leads()
	return held{
		heldAlike{live.Problem, live.Found, live.Version > 0, live.Ends && live.Problem == "", live.Keys, live.Also, live.More, field, device, leads, live.Quiet(leads), secrets, besides, l.closedTo(live)},
		heldOwn{live.Version, live.Written, live.Before(), whoseOf(live), live.Owner},
	}
}

// closedTo are the doors at which no login carries what a field holds: the
// stolen value cannot be offered there.
func (l *lister) closedTo(live vault.Live) (out map[string]string) {
	if !live.Found {
		return nil
	}
	for name, d := range l.c.Doors {
		if why := d.CannotCarry(live.Value); why != "" {
			if out == nil {
				out = map[string]string{}
			}
			out[name] = why
		}
	}
	return out
}

// saw hands on what a path was seen to hold. No value stays in the listing.
func (l *lister) saw(p credential.Path, live vault.Live, asked time.Time) {
	if l.onRead != nil {
		l.onRead(p, live, asked)
	}
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
		if config.TraitsOfSource(c.Reason.Type).Rows && !l.isPlace(ctx, p) {
			p = masked(c.Reason)
		}
		l.candidates[i].Path = &p
	}
	for i, t := range l.tasks {
		if t.Task.At == nil {
			continue
		}
		p, err := l.cut(ctx, *t.Task.At)
		if err != nil {
			return err
		}
		task := *t.Task
		task.At = &p
		l.tasks[i].Task = &task
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
	blind, unled := 0, 0
	beside, made, doubts := l.newBeside(roll), l.newPlaces(), l.newDoubts()
	l.rotates = map[credential.Path]bool{}
	l.rotatesIn = map[secretPath][]credential.Path{}
	for _, c := range roll.Credentials {
		for _, p := range c.Paths {
			l.rotates[p] = c.Problem == ""
			if !c.Claim(p) { // else a thief says of a host that it is somebody's password
				l.rotatesIn[secretPathOf(p)] = append(l.rotatesIn[secretPathOf(p)], p)
			}
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
			of := &pathsLook{lister: l, c: c, made: made, saw: func(p credential.Path, h held) {
				mu.Lock()
				defer mu.Unlock()
				beside.see(p, h)
				doubts.see(c, p, h)
			}}
			err := of.all(gctx)
			mu.Lock()
			defer mu.Unlock()
			blind += of.blind
			unled += of.unled
			made.found = append(made.found, of.unmade...)
			roll.Findings[c.ID] = append(roll.Findings[c.ID], of.found...)
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
	if err := doubts.tell(ctx, roll); err != nil {
		return err
	}
	if unled > 0 {
		l.warn(credential.FindingLeadsElsewhere, "%s written since the device was in foreign hands and %s to a server that no file names, and Vault has, or shows, no version from right before: where the new value goes is not known to be right. See the findings of those accounts, then accept each host (%s)",
			plural.Count(unled, "secret was", "secrets were"), plural.Pick(unled, "leads", "lead"), acceptHost)
	}
	if err := made.tell(ctx); err != nil {
		return err
	}
	if err := l.prose.disclosed(); err != nil {
		return err
	}
	if err := l.sparesKeep(ctx, roll); err != nil {
		return err
	}
	if blind > 0 {
		l.warn(credential.FindingPlace, "this login may not read what %s, so it was not looked at: if it is a worker's, its policies do not cover them yet (run rollcall init again with this file); else plan with a worker's login", plural.Count(blind, "path holds", "paths hold"))
	}
	return nil
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
	out := make([]string, len(keys))
	for i, key := range keys {
		if out[i] = shownName(key); out[i] == key {
			out[i] = strconv.Quote(key)
		}
	}
	return "[" + strings.Join(out, " ") + "]"
}
