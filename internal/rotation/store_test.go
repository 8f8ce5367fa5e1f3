package rotation

import (
	"context"
	"maps"
	"slices"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/vault"
	"rollcall/internal/vault/ownmount"
)

var _ Store = (*hand)(nil)

// lostVault is the error of a call to Vault that was not answered.
func lostVault(op string) error {
	return &vault.Error{Op: op, Path: "rollcall/data/staging/x", Server: "vault", Kind: vault.Unreachable}
}

func mismatch(op string) error {
	return &vault.Error{Op: op, Path: "rollcall/data/staging/x", Server: "vault", Kind: vault.CASMismatch}
}

// ServerTime is said by no Vault of the world: its hands have one clock.
func (h *hand) ServerTime(context.Context) (time.Time, bool) { return time.Time{}, false }

func (h *hand) Stage(_ context.Context, id string, s ownmount.Staged) (ownmount.Staged, bool, error) {
	type answer struct {
		got     ownmount.Staged
		created bool
	}
	a, err := call(h, "stage", lostVault("stage"), func() (answer, error) {
		if have := h.w.staging[id]; have != nil {
			return answer{got: *have}, nil
		}
		s.Version = 1
		h.w.staging[id] = &s
		return answer{s, true}, nil
	})
	return a.got, a.created, err
}

func (h *hand) ReadStaged(_ context.Context, id string) (ownmount.Staged, bool, error) {
	s, err := call(h, "read staged", lostVault("read staged"), func() (*ownmount.Staged, error) {
		if have := h.w.staging[id]; have != nil && !have.Freed {
			copied := *have
			copied.Base, copied.Old, copied.Places = maps.Clone(have.Base), maps.Clone(have.Old), maps.Clone(have.Places)
			return &copied, nil
		}
		return nil, nil
	})
	if s == nil {
		return ownmount.Staged{}, false, err
	}
	return *s, true, err
}

func (h *hand) Restage(_ context.Context, id string, next ownmount.Staged) (ownmount.Staged, error) {
	return call(h, "restage", lostVault("restage"), func() (ownmount.Staged, error) {
		have := h.w.staging[id]
		if have == nil || have.Version != next.Version {
			return ownmount.Staged{}, mismatch("restage")
		}
		next.Version++
		h.w.staging[id] = &next
		return next, nil
	})
}

func (h *hand) Unstage(_ context.Context, id, campaign string, attempt int) error {
	_, err := call(h, "unstage", lostVault("unstage"), func() (struct{}, error) {
		have := h.w.staging[id]
		if have == nil {
			return struct{}{}, nil
		}
		if !have.OwnedBy(campaign, attempt) {
			return struct{}{}, mismatch("unstage")
		}
		left, stays := have.AfterProof(time.Now(), func() (time.Time, bool) { return time.Time{}, false })
		if delete(h.w.staging, id); stays {
			h.w.staging[id] = &left
		}
		return struct{}{}, nil
	})
	return err
}

func (h *hand) Release(_ context.Context, id string) error {
	_, err := call(h, "release", lostVault("release"), func() (struct{}, error) {
		if have := h.w.staging[id]; have != nil && have.Campaign != us {
			h.w.fail("what another campaign staged was deleted")
		}
		delete(h.w.staging, id)
		return struct{}{}, nil
	})
	return err
}

func (h *hand) ReadLive(_ context.Context, p credential.Path, at int) (vault.Live, error) {
	return call(h, "read "+p.Path, lostVault("read"), func() (vault.Live, error) { return h.w.readLive(p, at), nil })
}

func (w *world) readLive(p credential.Path, at int) vault.Live {
	vs := w.secrets[place(p)].versions
	if at == 0 {
		at = len(vs)
	}
	if at == 0 || at > len(vs) {
		return vault.Live{}
	}
	v := vs[at-1]
	l := vault.Live{Version: at, Written: v.at, Ends: v.ends, Owner: v.fields["owner"]}
	if !v.destroyed && !v.deleted {
		l.Keys = slices.Sorted(maps.Keys(v.fields))
	}
	switch value, has := v.value(p); {
	case v.destroyed:
		l.Owner = ""
	case v.deleted:
		l.Owner, l.Problem = "", credential.DeletedVersion
	case !has:
		l.Problem = credential.NoField
	case value != "":
		l.Value, l.Found, l.More = credential.NewSecret(value), true, v.fields["more"]
		l.Other = credential.NewSecret(v.fields["other"])
		if v.fields["copy"] == value {
			l.Also = []string{"copy"}
		}
	}
	return l
}

// readable reports whether a value is in a live version that can be read.
func (w *world) readable(value string) bool {
	for _, p := range w.paths() {
		for i := range w.secrets[place(p)].versions {
			if w.readLive(p, i+1).Value.Equal(credential.NewSecret(value)) {
				return true
			}
		}
	}
	return false
}

func (h *hand) Activate(_ context.Context, p credential.Path, from vault.Live, value credential.Secret, owner string) (vault.Live, error) {
	return call(h, "activate "+p.Path, lostVault("activate"), func() (vault.Live, error) {
		s := h.w.secrets[place(p)]
		now := h.w.readLive(p, 0)
		if now.Version != from.Version {
			if now.Value.Equal(value) {
				return now, nil
			}
			if now.Found != from.Found || from.Found && !now.Value.Equal(from.Value) && !now.Other.Equal(from.Value) {
				return vault.Live{}, mismatch("activate")
			}
		}
		if staged := h.w.staging[h.w.cred.ID]; slices.Contains(h.w.stolen, value.Reveal()) || h.w.write().inForce() != value.Reveal() && h.w.readable(value.Reveal()) && (staged == nil || !staged.Secret.Equal(value)) {
			h.w.fail("consumers of %s go back to %s", p.Path, value.Reveal())
		}
		if h.w.first && len(h.w.replayed) == 0 && slices.ContainsFunc(h.w.stolen, func(old string) bool { return h.w.write().accepts(old, h.w.grace) }) {
			h.w.fail("a stolen value was still accepted when %s was written to %s, which it opens", value.Reveal(), p.Path)
		}
		if h.w.foreign[place(p)] {
			h.w.fail("%s is not the account's and was written", p)
		}
		next := version{fields: map[string]string{}, at: time.Now(), ends: h.w.fleeting[place(p)]}
		if n := len(s.versions); n > 0 && !s.versions[n-1].destroyed && !s.versions[n-1].deleted {
			next.fields = maps.Clone(s.versions[n-1].fields)
		} else if owner != "" {
			next.fields["owner"] = owner
		}
		next.put(p, value.Reveal())
		if other := next.fields["other"]; other != "" && from.Value.Reveal() == other {
			delete(next.fields, "other")
		} else if other != "" {
			next.fields["other"] = "all of " + value.Reveal()
		}
		s.versions = append(s.versions, next)
		live := h.w.readLive(p, 0)
		live.Replaced = now.Version
		return live, nil
	})
}

func (h *hand) Destroy(_ context.Context, p credential.Path, versions []int, activated int, written time.Time) (current bool, err error) {
	return call(h, "destroy "+p.Path, lostVault("destroy"), func() (bool, error) {
		vs := h.w.secrets[place(p)].versions
		if activated < 1 || activated > len(vs) || !vs[activated-1].at.Equal(written) || vs[activated-1].destroyed {
			return false, nil
		}
		for _, n := range versions {
			if n >= activated {
				continue
			}
			value, _ := vs[n-1].value(p)
			if other := vs[n-1].fields["other"]; slices.Contains(h.w.write().history, other) {
				value = other
			}
			if !h.w.ours[value] && !slices.ContainsFunc(h.w.write().history, func(old string) bool { return standsFor(secret(value), secret(old)) }) {
				h.w.fail("version %d of %s was destroyed, and %q was never the account's", n, p, value)
			}
			vs[n-1].destroyed = true
		}
		return activated == len(vs) && !vs[activated-1].deleted && !vs[activated-1].ends, nil
	})
}

func (h *hand) Versions(_ context.Context, p credential.Path) (vault.Versions, error) {
	out := vault.Versions{Written: map[int]time.Time{}}
	for i, v := range h.w.secrets[place(p)].versions {
		out.Newest, out.Written[i+1] = i+1, v.at
	}
	return out, nil
}

func (h *hand) Keeping(_ context.Context, p credential.Path) (vault.Keeping, error) {
	return call(h, "settings of "+p.Path, lostVault("read"), func() (vault.Keeping, error) {
		k := vault.Keeping{Versions: 10, After: h.w.deletes[place(p)]}
		if h.w.single[place(p)] {
			k.Versions = 1
		}
		return k, nil
	})
}

func (h *hand) MountKeeping(context.Context, credential.Path) (vault.Keeping, error) {
	return vault.Keeping{Versions: 10}, nil // remembered from a moment ago
}

func (h *hand) HeldSince(_ context.Context, was ownmount.Placed, live vault.Live) (bool, error) {
	return call(h, "whether it is as it was at "+was.Path.Path, lostVault("read"), func() (bool, error) {
		then := h.w.readLive(was.Path, was.Version)
		return then.Written.Equal(was.Written) && (was.Version == live.Version || live.Found && then.Value.Equal(live.Value)), nil
	})
}

func (h *hand) Carried(_ context.Context, was ownmount.Placed) (ownmount.Placed, error) {
	return was, nil
}

func (h *hand) SinceActivated(_ context.Context, id string, p credential.Path, live vault.Live) (ownmount.Since, error) {
	return call(h, "what became of "+p.Path, lostVault("read"), func() (ownmount.Since, error) {
		noted, known := h.w.noted[place(p)]
		switch {
		case !known:
			return ownmount.NotActivated, nil
		case live.Version == 0:
			return ownmount.AsActivated, nil
		case noted == (placed{}):
			return ownmount.NotSaid, nil
		case noted.version > live.Version || !h.w.secrets[place(p)].versions[noted.version-1].at.Equal(noted.at):
			return ownmount.WrittenSince, nil
		case noted.version == live.Version || live.Found && h.w.readLive(p, noted.version).Value.Equal(live.Value):
			return ownmount.AsActivated, nil
		}
		return ownmount.WrittenSince, nil
	})
}

func (h *hand) CampaignReleased(_ context.Context, campaign string) (bool, time.Time, error) {
	closed, err := call(h, "read campaign", lostVault("read campaign"), func() (bool, error) { return h.w.closed[campaign], nil })
	return closed, time.Time{}, err
}

func secret(value string) credential.Secret { return credential.NewSecret(value) }
