package rotation

import (
	"context"
	"maps"
	"slices"
	"strings"

	"rollcall/internal/credential"
	"rollcall/internal/vault"
	"rollcall/internal/vault/ownmount"
)

// What a field holds may be read in two ways (vault.Live.Other): "password=x"
// is a setting, or a password that looks like one. Both are offered before Set,
// the likelier one first and within what a look may cost, and the account
// decides. What it accepted is written to the staging entry before Set
// (Staged.Old), for after that it refuses both, and whoever goes on has to
// know what is written to the field: the other text around the new value, or
// that value alone.

// read reads a path of a credential by the account's names.
func (r *Rotator) read(ctx context.Context, c credential.Credential, p credential.Path, version int) (vault.Live, error) {
	live, err := r.Store.ReadLive(ctx, p, version)
	return live.Of(c.Users), err
}

// readPath reads a path as the staging entry says that it is read.
func (j *job) readPath(ctx context.Context, p credential.Path) (vault.Live, error) {
	live, err := j.read(ctx, j.c, p, 0)
	if live.Other.Equal(j.staged.Old[p.String()]) {
		live = live.AsOther()
	}
	return live, err
}

// addOthers adds the other readings to what is offered.
func (j *job) addOthers() {
	if j.c.HandsOver() {
		return
	}
	for i, p := range j.paths {
		if j.staged.Places[p.String()] == "" {
			j.addOld(j.lives[i].Other)
		}
	}
}

// isOther reports whether a value is the second reading of a field, and nothing
// else.
func (j *job) isOther(value credential.Secret) bool {
	other := false
	for _, live := range j.lives {
		if standsFor(live.Value, value) {
			return false
		}
		other = other || live.Other.Equal(value)
	}
	for _, old := range j.staged.Old {
		other = other && !standsFor(old, value)
	}
	return other
}

// otherLeft reports whether the second reading of a field was not offered.
func (j *job) otherLeft(live vault.Live) bool {
	return !live.Other.IsZero() && !j.wasTried(live.Other)
}

// firstRefused behind a path, in Staged.Places, says that the account refused
// the first reading before Set, and more logins would have been too many.
const firstRefused = ", the first of its readings"

// firstRefused reports whether a value is nothing but first readings that an
// earlier look found to be refused.
func (j *job) firstRefused(value credential.Secret) bool {
	some := false
	for i, p := range j.paths {
		switch live := j.lives[i]; {
		case !standsFor(live.Value, value) && !live.Other.Equal(value) && !standsFor(j.staged.Old[p.String()], value):
		case j.staged.Places[p.String()+firstRefused] == "" || live.Other.Equal(value) || live.Version != j.staged.Base[p.String()]:
			return false
		default:
			some = true
		}
	}
	return some
}

// valueTried reports whether the first reading was refused, in this look or in
// an earlier one.
func (j *job) valueTried(p credential.Path, live vault.Live) bool {
	return j.wasTried(live.Value) || j.staged.Places[p.String()+firstRefused] != "" && live.Version == j.staged.Base[p.String()]
}

// takeAcceptedReadings takes the reading of each field that the account
// accepted. The other one never was the password: its refusal in the proof
// would say nothing, and is a wrong login.
func (j *job) takeAcceptedReadings() {
	for i, p := range j.paths {
		live := j.lives[i]
		switch {
		case live.Other.IsZero():
		case j.took(live.Other):
			j.forget(i, live.Value)
			if j.lives[i] = live.AsOther(); !j.staged.Old[p.String()].IsZero() {
				old := maps.Clone(j.staged.Old)
				old[p.String()] = live.Other
				j.staged.Old, j.reread = old, true
			}
		case tookOf(live.Value, j.accepted):
			j.forget(i, live.Other)
			j.lives[i] = live.AsValue()
		case j.wasTried(live.Other):
			j.forget(i, live.Other)
		}
	}
}

// forget takes a reading of the field at a path off the old values, unless
// another path holds it too.
func (j *job) forget(at int, reading credential.Secret) {
	for i, live := range j.lives {
		if i != at && (standsFor(live.Value, reading) || live.Other.Equal(reading)) {
			return
		}
	}
	j.olds = slices.DeleteFunc(j.olds, func(old credential.Secret) bool { return standsFor(reading, old) && !j.took(old) })
}

// asRead takes the readings that the account accepted in an ended campaign.
func asRead(c credential.Credential, left ownmount.Staged, lives []vault.Live, old map[string]credential.Secret) {
	for i, p := range c.Paths {
		if i >= len(lives) || lives[i].Other.IsZero() {
			continue
		}
		for key, value := range left.Old {
			if (key == p.String() || strings.HasSuffix(key, beforeIt+p.String())) && value.Equal(lives[i].Other) {
				old[p.String()] = value
			}
		}
	}
}

// variants are the secrets that a value from Vault may stand for, the likeliest
// first. Whoever stores a file (`vault kv put … password=@file`) stores the end
// of its last line too, and a shell that reads it takes that off again.
func variants(value credential.Secret) []credential.Secret {
	bare := strings.TrimRight(value.Reveal(), "\r\n")
	if bare == "" || bare == value.Reveal() {
		return []credential.Secret{value}
	}
	return []credential.Secret{credential.NewSecret(bare), value}
}

// standsFor reports whether secret is one that a value from Vault may stand
// for.
func standsFor(value, secret credential.Secret) bool {
	return slices.ContainsFunc(variants(value), secret.Equal)
}

// dropVariants forgets, once the account accepted one of the old secrets, the
// others that the same value stands for: to offer them would be a wrong login
// for nothing.
func (j *job) dropVariants(right credential.Secret) {
	j.olds = slices.DeleteFunc(j.olds, func(old credential.Secret) bool {
		return !old.Equal(right) && (standsFor(old, right) || standsFor(right, old))
	})
}
