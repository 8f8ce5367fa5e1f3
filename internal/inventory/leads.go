package inventory

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/paste"
	"rollcall/internal/vault/ownmount"
)

// leadsElsewhere holds where a secret sends whoever reads it against where it
// did before the device was in foreign hands: who could write there left the
// password as it was, and named a server of his own beside it. It asks Vault
// only where something was written since, and leads to a host that the campaign
// file does not know.
func (k *pathsLook) leadsElsewhere(ctx context.Context, p credential.Path, h held) error {
	l, c := k.lister, k.c
	digest := h.leads.Digest()
	if digest == "" {
		return nil
	}
	k.noteLeads(p, digest)
	l.fileHostsOnce.Do(l.collectHosts)
	known := func(host string) bool { return l.fileHosts[host] }
	if field := h.leads.Besides(nil, known); field == "" || !l.c.SaysWhen() || !l.c.InForeignHands(time.Time{}, h.written) {
		return nil
	}
	if slices.Contains(k.placed[c.ID], p) {
		// An earlier campaign wrote there, after this look; what was before it
		// has destroyed.
		live, err := k.readOr(ctx, p)
		if err != nil {
			return err
		}
		since, err := k.vault.SinceActivated(ctx, c.ID, p, live)
		if err != nil {
			return fmt.Errorf("what became of %s since an earlier campaign: %w; the listing was given up and nothing was changed", p, err)
		}
		if since == ownmount.AsActivated && live.Version == h.version {
			return nil
		}
	}
	was, there, err := k.vault.HeldBefore(ctx, l.c, p)
	switch {
	case err != nil:
		return fmt.Errorf("reading what lay at %s before the device was in foreign hands: %w; the listing was given up and nothing was changed", p, err)
	case there == ownmount.NothingBefore:
		return nil
	case there == ownmount.BeforeUnseen:
		k.find(credential.FindingLeadsElsewhere, "%s: it was written since the device was in foreign hands, its field %q sends whoever reads it to a server, and Vault has, or shows, no version from before: see that it is the right one, for the new value goes there", p, h.leads.Besides(nil, known))
		return nil
	}
	field := h.leads.Besides(was.Leads(), known)
	if field == "" {
		return nil
	}
	what := fmt.Sprintf("%s: its field %q sends whoever reads it to another server than version %d did, which was written at %s, before the device was in foreign hands", p, field, was.Version, was.Written.UTC().Format(time.RFC3339))
	if slices.Contains(c.Accepted, credential.LeadsElsewhere) {
		k.find(credential.FindingLeadsElsewhere, "%s, as the campaign file accepts", what)
		return nil
	}
	k.trouble(credential.LeadsElsewhere, "%s: whoever could write there may have named his own, which would be given the new value. Compare the two (vault kv get -mount=%s -version=%d %s), and put back what is not right; if it is right, say so (%s)%s",
		what, p.Mount, was.Version, p.Path, paste.Entry("accept", "account", c.Name, "problem", string(credential.LeadsElsewhere)), ways(c, p, "do that"))
	return nil
}

// noteLeads keeps with the credential where one of its paths leads.
func (k *pathsLook) noteLeads(p credential.Path, digest string) {
	if k.c.Leads == nil {
		k.c.Leads = map[string]string{}
	}
	k.c.Leads[p.String()] = digest
}

// collectHosts are those that the campaign file knows, and those of servers
// that were found: what leads there leads to whom it is for.
func (l *lister) collectHosts() {
	l.fileHosts = map[string]bool{}
	add := func(at string) {
		if u, err := url.Parse(at); err == nil && u.Host != "" {
			at = u.Host
		}
		if host, _, err := net.SplitHostPort(at); err == nil {
			at = host
		}
		if at = strings.ToLower(strings.TrimSuffix(strings.Trim(at, "[]"), ".")); at != "" {
			l.fileHosts[at] = true
		}
	}
	for _, name := range l.c.Authorities() {
		of := l.c.Authority(name)
		if of == nil {
			continue
		}
		for _, server := range slices.Concat(of.ServerNames(), of.FormerServers()) {
			name, at := config.SplitServer(server)
			add(name)
			add(at)
			add(of.DialledAt(server))
		}
	}
	for _, d := range l.dirs {
		for _, server := range d.Servers() {
			add(server)
		}
	}
	for _, d := range l.c.Directories {
		if d.HasDomains() {
			add(d.Domain())
		}
	}
	for _, d := range l.c.Doors {
		add(d.Address)
		add(d.At)
	}
}
