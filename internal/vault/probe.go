package vault

import (
	"context"
	"fmt"
	"strings"
	"time"

	"rollcall/internal/credential"
)

// probePath is a name that no credential's staging entry has.
const probePath = stagingFolder + "/~probe"

// Probe writes to our own mount, where the worker stages, to see whether Vault takes
// writes.
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

// MayWrite asks Vault whether our login may write the live paths, of which those that
// exist have a version. Where it may not ask, nothing is known and it is nil.
func (s *Store) MayWrite(ctx context.Context, paths []credential.Path, versions []int) error {
	const op, at = "ask for our rights", "sys/capabilities-self"
	want := map[string]string{}
	var ask []string
	for i, p := range paths {
		place := p.Mount + "/data/" + p.Path
		want[place] = create
		if versions[i] > 0 {
			want[place] = update
		}
		ask = append(ask, place)
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
		if trimmed(place) {
			continue // the answer is about another path
		}
		if len(lacking(got, place, []string{want[place]})) > 0 {
			return &Error{Op: op, Path: place, Server: s.api.Address(), Kind: PermissionDenied, Capability: want[place], Detail: fmt.Sprintf("asked of %s", at)}
		}
	}
	return nil
}

// trimmed reports whether Vault answers about another path when it is asked for the
// capabilities on this one: it takes the blanks off both ends (1.21 tried).
func trimmed(path string) bool { return strings.TrimSpace(path) != path }
