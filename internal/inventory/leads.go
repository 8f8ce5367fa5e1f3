package inventory

import (
	"cmp"
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
	"rollcall/internal/vault"
	"rollcall/internal/vault/ownmount"
)

// leadsElsewhere holds where a secret sends whoever reads it against where it
// did before the device was in foreign hands: who could write there left the
// password as it was, and named a server of his own beside it. Where nothing
// from before is left, what the last campaign listed counts; inside a campaign,
// what it has listed itself. It asks Vault only where something was written
// since, and leads to a host that nobody has named.
func (k *pathsLook) leadsElsewhere(ctx context.Context, p credential.Path, h held) error {
	l, c := k.lister, k.c
	now := h.leads.But(c.LeadsBut)
	key, shown, err := l.keyOfLeads(ctx, h.leads)
	switch {
	case err != nil:
		return err
	case len(now) > 0 && shown:
		k.noteLeads(p, now.Digest(key))
	case len(now) > 0:
		k.noteLeads(p, credential.LeadsUnseen)
	}
	l.fileHostsOnce.Do(l.collectHosts)
	known := func(host string) bool { return l.fileHosts[host] }
	field := now.Besides(nil, known)
	listed, isListed := l.ledThen[c.ID][p.String()]
	as := h.leads.But(listed.but)
	isListed = isListed && (shown || !vault.Keyed(listed.digest))
	byNow := isListed && !as.Same(listed.digest, key) && !as.Unless(known).Same(listed.digest, key)
	since := h.version > 0 && len(l.c.Exposure) > 0 && l.c.InForeignHands(time.Time{}, h.written)
	switch {
	case field == "" && (isListed && !byNow || !since):
		return nil
	case field != "" && (listed.runs || len(l.c.Exposure) == 0):
		if byNow {
			k.leads(p, field, listed.when(), "put it back as it was; ")
		}
		return nil
	case !since: // what it leads to lay there before
		return nil
	}
	quiet := without(h.quiet, p.Fields())
	before, err := k.vault.HeldBefore(ctx, l.c, p)
	if err != nil {
		return fmt.Errorf("reading what lay at %s before the device was in foreign hands: %w; the listing was given up and nothing was changed", p, err)
	}
	if was := before.Live; before.There == ownmount.BeforeReadable {
		then := was.Leads().But(c.LeadsBut)
		switch field := cmp.Or(now.Besides(then, known), now.Silenced(then, quiet)); {
		case field == "":
		case before.Ours && byNow:
			k.leads(p, field, listed.when(), "put it back as it was; ")
		case before.Ours:
			k.ledUnknown(p, field)
		default:
			k.leads(p, field, fmt.Sprintf("version %d did, which was written at %s, before the device was in foreign hands", was.Version, was.Written.UTC().Format(time.RFC3339)),
				fmt.Sprintf("compare the two (vault kv get -mount=%s -version=%d %s) and put back what is not right; ", p.Mount, was.Version, p.Path))
		}
		return nil
	}
	switch {
	case len(now) == 0 && byNow && len(quiet) > 0:
		k.find(credential.FindingLeadsElsewhere, "%s: %s it named a host to whoever reads it, and it names none that can be told now: see what its field %q holds, for the new value goes where that leads", p, listed.when(), quiet[0])
	case field == "":
	case byNow:
		k.leads(p, field, listed.when(), "put it back as it was; ")
	case before.Ended && isListed, before.There == ownmount.NothingBefore:
	case before.Ended && !before.Ours:
		k.leads(p, field, "", "see whose server that is; ")
	default:
		k.ledUnknown(p, field)
	}
	return nil
}

// ledUnknown says that nobody can tell whether a path led there before.
func (k *pathsLook) ledUnknown(p credential.Path, field string) {
	if slices.Contains(k.c.Accepted, credential.LeadsElsewhere) {
		return
	}
	k.unled++
	k.find(credential.FindingLeadsElsewhere, "%s: it was written since the device was in foreign hands, its field %q sends whoever reads it to a server that no file names, and Vault has, or shows, no version from right before: see that it is the right one, for the new value goes there, and accept the host", p, field)
}

// others are fields of the credential's secrets that are other credentials' of
// the roll.
func (k *pathsLook) others() (out []string) {
	var own []string
	for _, p := range k.c.Paths {
		own = append(own, p.Fields()...)
	}
	defer func() { out = without(out, own) }() // in another of its secrets it is its own
	for _, p := range k.c.Paths {
		for _, at := range k.rotatesIn[secretPathOf(p)] {
			if !slices.Contains(k.c.Paths, at) {
				out = append(out, at.Fields()...)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// leads says that a path leads elsewhere than then. do is what a person does
// about it, besides saying that it is right.
func (k *pathsLook) leads(p credential.Path, field, then, do string) {
	c := k.c
	what := fmt.Sprintf("%s: its field %q sends whoever reads it to another server than %s", p, field, then)
	if then == "" {
		what = fmt.Sprintf("%s: its field %q sends whoever reads it to a server that no file names, and its versions from before the device was in foreign hands were deleted or destroyed since", p, field)
	}
	if slices.Contains(c.Accepted, credential.LeadsElsewhere) {
		k.find(credential.FindingPlace, "%s; the campaign file accepts it", what)
		return
	}
	k.trouble(credential.LeadsElsewhere, "%s. Whoever could write there may have named his own, which would be given the new value: %sif it is right, say so of the server (%s) or of the account (%s)%s",
		what, do, acceptHost, paste.Entry("accept", "account", c.Name, "problem", string(credential.LeadsElsewhere)), ways(c, p, "do that"))
}

// keyOfLeads is the key with which the roll tells hosts. shown is false where
// this login may not have it. A campaign that an earlier version began goes on
// without one.
func (l *lister) keyOfLeads(ctx context.Context, leads vault.Leads) (key []byte, shown bool, err error) {
	if len(leads) == 0 || l.leadsKey == nil {
		return nil, true, nil
	}
	if l.running != nil {
		for _, c := range l.running.Credentials {
			for _, digest := range c.Leads {
				if digest != credential.LeadsUnseen && digest != "" && !vault.Keyed(digest) {
					return nil, true, nil
				}
			}
		}
	}
	key, err = l.leadsKey(ctx)
	return key, key != nil, err
}

// noteLeads keeps with the credential where one of its paths leads.
func (k *pathsLook) noteLeads(p credential.Path, digest string) {
	if k.c.Leads == nil {
		k.c.Leads = map[string]string{}
	}
	k.c.Leads[p.String()] = digest
}

// led is where a path led when a campaign listed it.
type led struct {
	digest, campaign string
	but              []string // fields that were other credentials' then
	runs             bool     // it is the campaign inside of which this listing is made
}

func (l led) when() string {
	if l.runs {
		return "when this campaign listed it"
	}
	return "when campaign " + l.campaign + " listed it"
}

// collectHosts are those that the campaign file knows, and those of servers
// that were found: what leads there leads to whom it is for. And it collects
// where paths led when this campaign listed them, or the last one of the
// device, unless it held them back.
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
	for _, a := range l.c.Accept {
		add(a.Host)
	}
	l.ledThen = map[string]map[string]led{}
	take := func(campaign string, runs bool, all []credential.Credential) {
		for _, c := range all {
			if !c.LeadsKnown || c.Problem != "" {
				continue
			}
			of := l.ledThen[c.ID]
			if of == nil {
				of = map[string]led{}
				l.ledThen[c.ID] = of
			}
			for _, p := range c.Paths {
				if at := c.Leads[p.String()]; at != credential.LeadsUnseen {
					of[p.String()] = led{at, campaign, c.LeadsBut, runs}
				}
			}
		}
	}
	if l.past.last != nil {
		take(l.past.last.Campaign, false, l.past.last.Credentials)
	}
	if l.running != nil {
		take("", true, l.running.Credentials)
	}
}

// acceptHost is how a person says that secrets lead to a host by right.
var acceptHost = paste.Entry("accept", "host", "NAME", "problem", string(credential.LeadsElsewhere))
