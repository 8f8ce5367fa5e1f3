package main

import (
	"context"
	"fmt"
	"strings"

	vaultapi "github.com/hashicorp/vault/api"
	"golang.org/x/sync/errgroup"
)

// engine times Vault's LDAP secrets engine on a group. The engine and its roles
// are there only meanwhile: with them Vault has more to do for everybody else,
// and a listing reads each password that an engine keeps.
func (g *ground) engine(ctx context.Context, group string, callers int) (Timing, error) {
	if err := prepareEngine(ctx, g, group); err != nil {
		return Timing{}, err
	}
	t, err := g.time(ctx, group, callers, engineRotator(g))
	if err != nil {
		return t, err
	}
	return t, g.vault.Client().Sys().UnmountWithContext(ctx, "ldap")
}

// prepareEngine mounts Vault's LDAP secrets engine and makes a static role for
// each account of the groups. It rotates nothing yet.
func prepareEngine(ctx context.Context, g *ground, groups ...string) error {
	api := g.vault.Client()
	if err := api.Sys().MountWithContext(ctx, "ldap", &vaultapi.MountInput{Type: "ldap"}); err != nil {
		return fmt.Errorf("mounting the LDAP engine: %w", err)
	}
	_, err := api.Logical().WriteWithContext(ctx, "ldap/config", map[string]any{
		"schema": "openldap", "url": g.slapd.LDAPS(), "certificate": g.slapd.CA,
		"binddn": g.slapd.BinderDN, "bindpass": g.slapd.BinderPassword, "userdn": g.slapd.PeopleDN(),
		"skip_static_role_import_rotation": true,
	})
	if err != nil {
		return fmt.Errorf("configuring the LDAP engine: %w", err)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(8)
	for _, name := range groups {
		for _, a := range g.accounts[name] {
			group.Go(func() error {
				_, err := api.Logical().WriteWithContext(ctx, "ldap/static-role/"+a.uid, map[string]any{
					"dn": a.dn, "username": a.uid, "rotation_period": "24h",
				})
				return err
			})
		}
	}
	return group.Wait()
}

// engineRotator asks Vault to rotate a role. Vault does the rest: it makes a
// value, sets it and keeps it. It proves nothing about the old value.
func engineRotator(g *ground) func() (rotator, error) {
	api := g.vault.Client()
	return func() (rotator, error) { return engineCaller{api}, nil }
}

type engineCaller struct{ api *vaultapi.Client }

func (e engineCaller) rotate(ctx context.Context, a account) error {
	_, err := e.api.Logical().WriteWithContext(ctx, "ldap/rotate-role/"+a.uid, nil)
	if err != nil && strings.Contains(err.Error(), "duplicate item") {
		// It has rotated. Its own timer has put the role back into its queue
		// first, which happens now and then to one in thousands.
		return nil
	}
	return err
}

func (engineCaller) lookUp(context.Context, []account) error { return nil }

func (engineCaller) close() {}
