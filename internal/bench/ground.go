package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"

	"rollcall/internal/lab"
)

// Groups of accounts, each for one run, so that none is rotated twice.
const (
	groupEngine1   = "engine1"
	groupCountBare = "count-bare"
	groupCountOurs = "count-ours"

	// In the domain, if there is one.
	groupDomain     = windowsName
	groupDomainBare = windowsName + "-bare"
)

func groupTry(workers int) string { return fmt.Sprintf("try%d", workers) }

// Groups of a round.
func groupEngine8(round int) string  { return fmt.Sprintf("engine8-%d", round) }
func groupBare(round int) string     { return fmt.Sprintf("bare-%d", round) }
func groupCampaign(round int) string { return fmt.Sprintf("%s%d", campaignGroups, round) }
func groupOther(round int) string    { return fmt.Sprintf("%sother-%d", campaignGroups, round) }

const campaignGroups = "campaign-"

// ground are the servers that all runs share.
type ground struct {
	dir      string
	ca       *lab.CA
	slapd    *lab.Slapd
	replica  *lab.Slapd // nil without
	samba    *lab.Samba // nil without a domain
	vault    *lab.Vault
	accounts map[string][]account // by group
}

// account is one account in the directory whose password Vault holds.
type account struct {
	uid, dn, uuid, password string
	path                    string // below kv/
}

// startGround starts the servers and seeds the groups: sizes in slapd, domain
// in a domain of Active Directory, which is left out if there are none. audit
// gives Vault a file audit device. On an error nothing is left running.
func startGround(ctx context.Context, dir string, sizes, domain map[string]int, audit bool) (g *ground, err error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
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
	if g.slapd, err = lab.StartSlapd(ctx, lab.SlapdOptions{Dir: filepath.Join(dir, "slapd"), CA: g.ca, Accounts: all, ShowsReplicators: true}); err != nil {
		return nil, err
	}
	if err = g.startDomain(ctx, domain); err != nil {
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
			if accounts[i].dn != "" { // the domain's
				continue
			}
			accounts[i].dn, accounts[i].uuid = g.slapd.AccountDN(accounts[i].uid), uuids[accounts[i].uid]
		}
	}
	return nil
}

// seedVault gives every account a path, also those of Vault's engine, which
// keeps values in its own place: all work beside the same number of secrets.
func (g *ground) seedVault(ctx context.Context) error {
	secrets := map[string]map[string]any{g.corp().bindPath(): {"password": g.slapd.BinderPassword}}
	metadata := map[string]map[string]any{}
	if g.samba != nil {
		secrets[g.windows().bindPath()] = map[string]any{"password": g.samba.BinderPassword}
	}
	for group, accounts := range g.accounts {
		for _, a := range accounts {
			secrets[a.path] = map[string]any{"username": a.uid, "password": a.password}
			switch {
			case strings.HasPrefix(group, campaignGroups):
				metadata[a.path] = map[string]any{"directory": corpName, "account": a.uid, "field": "password"}
			case group == groupDomain:
				metadata[a.path] = map[string]any{"directory": windowsName, "account": a.uid, "field": "password"}
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
	if g.replica != nil {
		_ = g.replica.Stop(ctx)
	}
	if g.samba != nil {
		_ = g.samba.Stop(ctx)
	}
	if g.vault != nil {
		_ = g.vault.Stop(ctx)
	}
}
