package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/go-ldap/ldap/v3"

	"rollcall/internal/lab"
)

// Groups of accounts, each for one run, so that none is rotated twice.
const (
	groupEngine1   = "engine1"
	groupEngine8   = "engine8"
	groupBefore    = "before"
	groupAfter     = "after"
	groupCampaign  = "campaign"
	groupLarger    = "campaign-larger"
	groupCountBare = "count-bare"
	groupCountOurs = "count-ours"
)

func groupTry(workers int) string { return fmt.Sprintf("try%d", workers) }

// ground are the servers that all runs share.
type ground struct {
	dir      string
	ca       *lab.CA
	slapd    *lab.Slapd
	vault    *lab.Vault
	accounts map[string][]account // by group
}

// account is one account in the directory whose password Vault holds.
type account struct {
	uid, dn, uuid, password string
	path                    string // below kv/
}

// startGround starts the servers and seeds the groups. audit gives Vault a file
// audit device. On an error nothing is left running.
func startGround(ctx context.Context, dir string, sizes map[string]int, audit bool) (g *ground, err error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	g = &ground{dir: dir, accounts: map[string][]account{}}
	defer func() {
		if err != nil {
			g.stop()
		}
	}()
	if g.ca, err = lab.NewCA(); err != nil {
		return nil, err
	}
	var all []lab.Account
	for group, n := range sizes {
		for _, a := range lab.SeedAccounts(group+"-", n) {
			all = append(all, a)
			g.accounts[group] = append(g.accounts[group], account{uid: a.UID, password: a.Password, path: "apps/" + group + "/" + a.UID})
		}
	}
	if g.slapd, err = lab.StartSlapd(ctx, lab.SlapdOptions{Dir: filepath.Join(dir, "slapd"), CA: g.ca, Accounts: all}); err != nil {
		return nil, err
	}
	if g.vault, err = lab.StartVault(ctx, lab.VaultOptions{Dir: filepath.Join(dir, "vault"), Audit: audit}); err != nil {
		return nil, err
	}
	if err = g.findEntries(ctx); err != nil {
		return nil, err
	}
	return g, g.seedVault(ctx)
}

// findEntries fills in names and entryUUIDs.
func (g *ground) findEntries(ctx context.Context) error {
	conn, err := g.slapd.AdminConn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	found, err := conn.SearchWithPaging(ldap.NewSearchRequest(g.slapd.PeopleDN(), ldap.ScopeSingleLevel, ldap.NeverDerefAliases, 0, 0, false,
		"(uid=*)", []string{"uid", "entryUUID"}, nil), 500)
	if err != nil {
		return fmt.Errorf("reading entryUUIDs: %w", err)
	}
	uuids := map[string]string{}
	for _, e := range found.Entries {
		uuids[e.GetAttributeValue("uid")] = e.GetAttributeValue("entryUUID")
	}
	for _, accounts := range g.accounts {
		for i := range accounts {
			accounts[i].dn, accounts[i].uuid = g.slapd.AccountDN(accounts[i].uid), uuids[accounts[i].uid]
		}
	}
	return nil
}

// seedVault gives every account a path, also those of Vault's engine, which
// keeps values in its own place: all work beside the same number of secrets.
func (g *ground) seedVault(ctx context.Context) error {
	secrets := map[string]map[string]any{"infra/rollcall-bind": {"password": g.slapd.BinderPassword}}
	metadata := map[string]map[string]any{}
	for group, accounts := range g.accounts {
		for _, a := range accounts {
			secrets[a.path] = map[string]any{"username": a.uid, "password": a.password}
			if group == groupCampaign || group == groupLarger {
				metadata[a.path] = map[string]any{"directory": "corp", "account": a.uid, "field": "password"}
			}
		}
	}
	if err := g.vault.SeedKV(ctx, secrets); err != nil {
		return err
	}
	return g.vault.SeedMetadata(ctx, metadata)
}

// stop ends the servers that were started.
func (g *ground) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if g.slapd != nil {
		_ = g.slapd.Stop(ctx)
	}
	if g.vault != nil {
		_ = g.vault.Stop(ctx)
	}
}
