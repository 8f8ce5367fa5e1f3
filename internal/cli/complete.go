package cli

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/inventory"
	"rollcall/internal/ledger"
)

// What the shell offers behind a command or a flag is read from the campaign
// file and the ledgers of this machine. It asks no server: a key pressed must
// cost nothing. What cannot be read offers nothing.

// offers gives words, each with a description behind a tab.
type offers func(a *app) []string

func fixed(all ...string) offers { return func(*app) []string { return all } }

// flagOffers are those of flags by name, wherever a command has one.
var flagOffers = map[string]offers{
	"output":     fixed("text", "json"),
	"of":         (*app).namesThere,
	"log-format": fixed("text", "json"),
	"log-level":  fixed("debug", "info", "warn", "error"),
	"role":       fixed("rotation\tlists and rotates", "ledger\tthe one writer of the ledgers"),
	"as":         fixed("worker", "ledger", "operator"),
	"how":        fixed("isolated", "off", "replaced"),
	"server":     (*app).serversThere,
	"directory":  (*app).authoritiesThere,
	"door":       (*app).doorsThere,
	"wave":       (*app).wavesThere,
	"source":     (*app).sourcesThere,
	"only":       (*app).namesThere,
	"login":      (*app).loginsThere,
	"campaign":   (*app).campaignsThere,
}

// ofCampaigns are commands that take the id of a campaign, and ofLedgers those
// that take the ledger of what logs show of the device, too.
var (
	ofCampaigns = []string{"rollcall status"}
	ofLedgers   = []string{"rollcall report", "rollcall ledger verify", "rollcall ledger cat", "rollcall ledger key", "rollcall ledger anchor"}
)

// firstOf are what commands offer for their first argument, and nothing behind
// it.
var firstOf = map[string]offers{
	"rollcall profiles show":  func(*app) []string { return config.ProfileNames() },
	"rollcall tasks show":     (*app).tasksThere,
	"rollcall tasks done":     (*app).tasksThere,
	"rollcall tasks reassign": (*app).tasksThere,
	"rollcall tasks renew":    (*app).tasksThere,
}

func init() {
	for _, path := range ofCampaigns {
		firstOf[path] = (*app).campaignsThere
	}
	for _, path := range ofLedgers {
		firstOf[path] = (*app).ledgersThere
	}
}

func (a *app) addCompletions(root *cobra.Command) {
	var each func(c *cobra.Command)
	each = func(c *cobra.Command) {
		for name, offer := range flagOffers {
			if f := c.Flag(name); f != nil && name == "output" && strings.Contains(f.Usage, "csv") {
				_ = c.RegisterFlagCompletionFunc(name, a.offering(fixed("text", "json", "csv")))
			} else if f != nil {
				// It fails where a command has offers of its own already.
				_ = c.RegisterFlagCompletionFunc(name, a.offering(offer))
			}
		}
		if offer := firstOf[c.CommandPath()]; offer != nil {
			first := a.offering(offer)
			c.ValidArgsFunction = func(c *cobra.Command, args []string, to string) ([]string, cobra.ShellCompDirective) {
				if len(args) > 0 {
					return nil, cobra.ShellCompDirectiveNoFileComp
				}
				return first(c, args, to)
			}
		}
		for _, sub := range c.Commands() {
			each(sub)
		}
	}
	each(root)
}

func (a *app) offering(offer offers) cobra.CompletionFunc {
	return func(_ *cobra.Command, _ []string, to string) ([]string, cobra.ShellCompDirective) {
		var out []string
		for _, word := range offer(a) {
			if strings.HasPrefix(word, to) {
				out = append(out, word)
			}
		}
		return out, cobra.ShellCompDirectiveNoFileComp
	}
}

// fileThere is the campaign file, empty where it cannot be read.
func (a *app) fileThere() *config.Campaign {
	b := *a
	b.reads, b.controls = false, true
	cfg, err := b.campaignFile()
	if err != nil {
		return &config.Campaign{}
	}
	return cfg
}

// campaignsThere are those with a ledger on this machine, the newest first.
func (a *app) campaignsThere() []string {
	cfg := a.fileThere()
	entries, _ := os.ReadDir(cfg.LedgerDir)
	var out []string
	for _, e := range entries {
		if e.IsDir() && isCampaignOf(cfg.Device, e.Name()) {
			out = append(out, e.Name())
		}
	}
	slices.Sort(out)
	slices.Reverse(out)
	return out
}

// ledgersThere are those, and that of what logs show of the device, behind
// them.
func (a *app) ledgersThere() []string {
	cfg, out := a.fileThere(), a.campaignsThere()
	if name := ledger.EvidenceOf(cfg.Device); cfg.Device != "" && !missing(filepath.Join(cfg.LedgerDir, name)) {
		out = append(out, name+"\twhat logs show of the device")
	}
	return out
}

func (a *app) serversThere() (out []string) {
	cfg := a.fileThere()
	for _, name := range cfg.Authorities() {
		for _, s := range cfg.Authority(name).ServerNames() {
			out = append(out, s+"\t"+name)
		}
	}
	return out
}

func (a *app) authoritiesThere() []string { return a.fileThere().Authorities() }

func (a *app) doorsThere() []string { return slices.Sorted(maps.Keys(a.fileThere().Doors)) }

func (a *app) wavesThere() (out []string) {
	for _, w := range a.fileThere().Waves {
		out = append(out, w.Name)
	}
	return out
}

func (a *app) sourcesThere() (out []string) {
	for _, s := range a.fileThere().Sources {
		out = append(out, s.Name)
	}
	return out
}

// namesThere are the names by which people call what is on the latest roll of
// the device, each with the whole name behind it; before the first campaign the
// accounts that its manifests name.
func (a *app) namesThere() []string {
	all := a.listedThere(func(ledger.Entry) bool { return true })
	if len(all) == 0 {
		all = inventory.InManifests(a.fileThere())
	}
	named := map[string]string{}
	for _, name := range all {
		for _, n := range inventory.NamesOf(credential.Credential{Name: name}) {
			named[n] = name
		}
	}
	delete(named, "") // of a name that is no DN
	var out []string
	for _, n := range slices.Sorted(maps.Keys(named)) {
		if whole := named[n]; whole != n {
			n += "\t" + whole
		}
		out = append(out, n)
	}
	return out
}

// tasksThere are what people do of it.
func (a *app) tasksThere() []string {
	return a.listedThere(func(e ledger.Entry) bool { return e.Kind.ByHand() })
}

// loginsThere are its logins to Vault.
func (a *app) loginsThere() []string {
	return a.listedThere(func(e ledger.Entry) bool { return e.Kind.OpensVault() })
}

func (a *app) listedThere(which func(ledger.Entry) bool) []string {
	cfg := a.fileThere()
	all := a.campaignsThere()
	if len(all) == 0 {
		return nil
	}
	r, err := ledger.OpenReader(filepath.Join(cfg.LedgerDir, all[0]))
	if err != nil {
		return nil
	}
	names := map[string]bool{}
	_ = r.Entries(context.Background(), 0, func(_ uint64, e ledger.Entry) error {
		if e.Event == ledger.Listed && which(e) {
			names[e.Name] = true
		}
		return nil
	})
	return slices.Sorted(maps.Keys(names))
}
