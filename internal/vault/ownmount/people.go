package ownmount

import (
	"context"
	"strings"

	"rollcall/internal/credential"
	"rollcall/internal/people"
	"rollcall/internal/vault"
)

// Person is whom a name means: an entity, or with a slash a login, mount/name;
// nil if Vault knows neither.
func (s *Store) Person(ctx context.Context, name string) (*people.Person, error) {
	i := strings.LastIndex(name, "/")
	if i < 0 {
		return s.entity(ctx, map[string]any{"name": name})
	}
	accessor, err := s.authAccessor(ctx, name[:i])
	if err != nil || accessor == "" {
		return nil, err
	}
	for _, alias := range []string{name[i+1:], strings.ToLower(name[i+1:])} {
		p, err := s.entity(ctx, map[string]any{"alias_name": alias, "alias_mount_accessor": accessor})
		if err != nil || p != nil {
			return p, err
		}
	}
	return nil, nil
}

// PersonByID is the entity of that id; nil if there is none, or it was merged
// into another one.
func (s *Store) PersonByID(ctx context.Context, id string) (*people.Person, error) {
	p, err := s.entity(ctx, map[string]any{"id": id})
	if p != nil && p.ID != id {
		return nil, err
	}
	return p, err
}

func (s *Store) entity(ctx context.Context, by map[string]any) (*people.Person, error) {
	const op, at = "look a person up", "identity/lookup/entity"
	got, err := s.API().Logical().WriteWithContext(ctx, at, by)
	if err != nil {
		return nil, s.Fail(op, at, vault.Update, err)
	}
	if got == nil || got.Data == nil {
		return nil, nil
	}
	return personOf(got.Data), nil
}

// Myself is the person at the keyboard; nil where his policy is of before he
// might look.
func (s *Store) Myself(ctx context.Context, entity string) (*people.Person, error) {
	const op = "look at our own entity"
	at := "identity/entity/id/" + entity
	got, err := s.API().Logical().ReadWithContext(ctx, at)
	if err != nil {
		if err = s.Fail(op, at, vault.Read, err); vault.IsDenied(err) {
			err = nil
		}
		return nil, err
	}
	if got == nil || got.Data == nil {
		return nil, nil
	}
	return personOf(got.Data), nil
}

func personOf(data map[string]any) *people.Person {
	p := &people.Person{}
	p.ID, _ = data["id"].(string)
	p.Name, _ = data["name"].(string)
	p.Disabled, _ = data["disabled"].(bool)
	aliases, _ := data["aliases"].([]any)
	for _, a := range aliases {
		alias, _ := a.(map[string]any)
		l := people.Login{}
		l.Method, _ = alias["mount_type"].(string)
		l.Mount, _ = alias["mount_path"].(string)
		l.Mount = strings.TrimPrefix(strings.Trim(l.Mount, "/"), "auth/")
		l.Name, _ = alias["name"].(string)
		p.Logins = append(p.Logins, l)
	}
	return p
}

// authAccessor is that of an auth mount; empty if there is none.
func (s *Store) authAccessor(ctx context.Context, mount string) (string, error) {
	const op, at = "list auth mounts", "sys/auth"
	got, err := s.API().Logical().ReadWithContext(ctx, at)
	if err != nil {
		return "", s.Fail(op, at, vault.Read, err)
	}
	if got == nil {
		return "", nil
	}
	m, _ := got.Data[mount+"/"].(map[string]any)
	accessor, _ := m["accessor"].(string)
	return accessor, nil
}

// Self is the entity of our own login; empty if it has none, as a root token.
func (s *Store) Self(ctx context.Context) (entity string, err error) {
	const op, at = "look at our own login", "auth/token/lookup-self"
	got, err := s.API().Logical().ReadWithContext(ctx, at)
	if err != nil {
		return "", s.Fail(op, at, vault.Read, err)
	}
	if got != nil {
		entity, _ = got.Data["entity_id"].(string)
	}
	return entity, nil
}

// CannotLogIn says why a person can log in by none of his logins any more, as
// far as Vault shows that: the mount is gone, or the user of one that keeps
// users of its own. Empty if he can, or it is not shown.
func (s *Store) CannotLogIn(ctx context.Context, p people.Person) (string, error) {
	for _, l := range p.Logins {
		if l.Mount == "" {
			continue
		}
		kept := credential.MethodOf(l.Method).Rotated()
		if kept == nil || !kept.BareName {
			return "", nil
		}
		const op = "look at a person's login"
		at := kept.Path(l.Mount, l.Name)
		got, err := s.API().Logical().ReadWithContext(ctx, at)
		switch {
		case err != nil:
			if err = s.Fail(op, at, vault.Read, err); vault.IsDenied(err) {
				err = nil
			}
			return "", err
		case got != nil:
			return "", nil
		}
	}
	return "Vault has none of the logins any more by which it knows the entity", nil
}
