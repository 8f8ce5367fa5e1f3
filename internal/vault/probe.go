package vault

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"rollcall/internal/credential"
)

// probePath is a name that no credential's staging entry has.
const probePath = stagingFolder + "/~probe"

// Probe writes to our own mount, where the worker stages, to see whether Vault
// takes writes.
func (s *Store) Probe(ctx context.Context) error {
	const op = "try a write"
	at, err := below(s.mount, "data", probePath)
	if err != nil {
		return err
	}
	_, err = s.api.Logical().WriteWithContext(ctx, at, map[string]any{"data": map[string]any{"at": time.Now().UTC().Format(time.RFC3339)}})
	if err != nil {
		return s.fail(op, at, write, err)
	}
	return nil
}

// MayWrite asks Vault whether our login may write the live paths, of which
// those that exist have a version. Where it may not ask, nothing is known and
// it is nil.
func (s *Store) MayWrite(ctx context.Context, paths []credential.Path, versions []int) error {
	const op, at = "ask for our rights", "sys/capabilities-self"
	want := map[string]string{}
	var ask []string
	for i, p := range paths {
		place := p.Mount + "/data/" + p.Path
		if trimmed(place) {
			if err := s.tryWrite(ctx, place); err != nil {
				return err
			}
			continue
		}
		want[place] = create
		if versions[i] > 0 {
			want[place] = update
		}
		ask = append(ask, place)
	}
	if len(ask) == 0 {
		return nil
	}
	got, err := s.api.Logical().WriteWithContext(ctx, at, map[string]any{"paths": ask})
	if err != nil {
		err = s.fail(op, at, update, err)
		if isKind(err, PermissionDenied) {
			return nil
		}
		return err
	}
	for _, place := range ask {
		if len(lacking(got, place, []string{want[place]})) > 0 {
			return &Error{Op: op, Path: place, Server: s.api.Address(), Kind: PermissionDenied, Capability: want[place], Detail: "asked of " + at}
		}
	}
	return nil
}

// Oddly reports whether Vault cannot be asked for our rights on one of the
// paths: it takes the blanks off both ends of what sys/capabilities-self is
// asked about, and answers about another path (1.21 tried).
func Oddly(paths []credential.Path) bool {
	return slices.ContainsFunc(paths, func(p credential.Path) bool { return trimmed(p.Path) })
}

func trimmed(path string) bool { return strings.TrimSpace(path) != path }

// neverReached is a version that no secret has.
const neverReached = 1<<31 - 1

// tryWrite tries a write that cannot succeed, because it asks for a version
// that is not there: Vault looks at our rights before, and changes nothing.
func (s *Store) tryWrite(ctx context.Context, place string) error {
	_, err := s.api.Logical().WriteWithContext(ctx, place, map[string]any{
		"options": map[string]any{"cas": neverReached}, "data": map[string]any{},
	})
	if err == nil {
		return s.odd("try our rights", place, fmt.Errorf("a write was taken that could not be"))
	}
	if err = s.fail("try our rights", place, write, err); IsCASMismatch(err) {
		return nil
	}
	return err
}
