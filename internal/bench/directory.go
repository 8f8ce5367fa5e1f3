package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/lab"
)

// dirServer is one of the directories of the ground.
type dirServer struct {
	name, driver, url, ca, base string
	replicas                    []string // besides url, which is written to
	binderDN, binderPassword    string
}

const (
	corpName    = "corp"
	windowsName = "windows"
)

func (g *ground) corp() *dirServer {
	d := &dirServer{corpName, config.OpenLDAP, g.slapd.LDAPS(), g.slapd.CA, g.slapd.BaseDN(), nil, g.slapd.BinderDN, g.slapd.BinderPassword}
	if g.replica != nil {
		d.replicas = []string{g.replica.LDAPS()}
	}
	return d
}

func (g *ground) windows() *dirServer {
	return &dirServer{windowsName, config.ActiveDirectory, g.samba.LDAPS(), g.samba.CA, g.samba.BaseDN(), nil, g.samba.BinderDN, g.samba.BinderPassword}
}

func (d *dirServer) domain() bool { return d.driver == config.ActiveDirectory }

func (d *dirServer) kind() credential.Kind { return config.Directory{Driver: d.driver}.Kind() }

// bindPath is where Vault keeps the bind password, below kv/.
func (d *dirServer) bindPath() string { return "infra/rollcall-bind-" + d.name }

// group is the name of a group of accounts in this directory.
func (d *dirServer) group(name string) string {
	if d.domain() {
		return windowsName + "-" + name
	}
	return name
}

// domainPossible is why there can be no domain here, or nil.
func domainPossible() error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("a Samba domain controller needs root, for a network namespace of its own (sudo -E make bench)")
	}
	return nil
}

// startDomain starts a domain controller with the accounts of the groups.
func (g *ground) startDomain(ctx context.Context, sizes map[string]int) (err error) {
	if len(sizes) == 0 {
		return nil
	}
	var all []lab.Account
	for group, n := range sizes {
		// A sAMAccountName has at most 20 characters.
		all = append(all, lab.SeedAccounts(fmt.Sprintf("d%d-", len(all)), n)...)
		for _, a := range all[len(all)-n:] {
			g.accounts[group] = append(g.accounts[group], account{uid: a.UID, password: a.Password, path: "apps/" + group + "/" + a.UID})
		}
	}
	if g.samba, err = lab.StartSamba(ctx, lab.SambaOptions{Dir: filepath.Join(g.dir, "samba"), CA: g.ca, Accounts: all}); err != nil {
		return err
	}
	// As docs/rights.md recommends: where the policies are hidden each account
	// costs a login more.
	if err = g.samba.AddACE(ctx, "CN=Password Settings Container,CN=System,"+g.samba.BaseDN(), g.samba.BinderDN, "(A;CI;RPLCLORC;;;%s)"); err != nil {
		return err
	}
	conn, err := g.samba.AdminConn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	found, err := conn.SearchWithPaging(ldap.NewSearchRequest(g.samba.ServicesDN(), ldap.ScopeSingleLevel, ldap.NeverDerefAliases, 0, 0, false,
		"(objectClass=user)", []string{"sAMAccountName", "objectGUID"}, nil), 500)
	if err != nil {
		return fmt.Errorf("reading objectGUIDs: %w", err)
	}
	guids := map[string]string{}
	for _, e := range found.Entries {
		guids[e.GetAttributeValue("sAMAccountName")] = guidText(e.GetRawAttributeValue("objectGUID"))
	}
	for group := range sizes {
		for i, a := range g.accounts[group] {
			g.accounts[group][i].dn, g.accounts[group][i].uuid = g.samba.AccountDN(a.uid), guids[a.uid]
		}
	}
	return nil
}

// guidOrder is how the bytes of a GUID are stored ([MS-DTYP] 2.3.4).
var guidOrder = [16]int{3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15}

func guidText(raw []byte) string {
	var g [16]byte
	for i, from := range guidOrder {
		g[i] = raw[from]
	}
	return fmt.Sprintf("%x-%x-%x-%x-%x", g[0:4], g[4:6], g[6:8], g[8:10], g[10:])
}

func guidFilter(text string) string {
	g, _ := hex.DecodeString(strings.ReplaceAll(text, "-", "")) // our own text
	var b strings.Builder
	for _, from := range guidOrder {
		fmt.Fprintf(&b, `\%02x`, g[from])
	}
	return "(objectGUID=" + b.String() + ")"
}
