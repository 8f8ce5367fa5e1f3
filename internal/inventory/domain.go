package inventory

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// cutDomain splits DOMAIN\account, the form in which Windows shows accounts.
func cutDomain(text string) (domain, account string, ok bool) {
	domain, account, ok = strings.Cut(text, `\`)
	return domain, account, ok && domain != "" && account != "" && !strings.Contains(account, `\`) && !isDN(text)
}

// withoutDomains takes the domain off references of the form DOMAIN\account
// where it is this directory's. The rest is not looked up: l.hints says why
// not.
func (l *lister) withoutDomains(ctx context.Context, name string, refs []mention) ([]mention, map[string]string, error) {
	short := map[string]string{} // key of the account alone -> key as it is written
	if !l.c.Directories[name].HasDomains() || !slices.ContainsFunc(refs, func(m mention) bool { _, _, ok := cutDomain(m.text); return ok }) {
		return refs, short, nil
	}
	d := l.dirs[name]
	own, err := d.DomainName(ctx, d.Servers()[0])
	if err != nil {
		return nil, nil, l.lookupError(name, len(refs), err)
	}
	dns := l.c.Directories[name].Domain()
	var out []mention
	for _, m := range refs {
		domain, account, ok := cutDomain(m.text)
		switch {
		case !ok:
			out = append(out, m)
		case strings.EqualFold(domain, own), strings.EqualFold(domain, dns):
			short[m.key] = fold(account)
			out = append(out, mention{account, fold(account), byUID, m.ours})
		case own == "":
			l.hint(name, m.key, fmt.Sprintf("bind.dn may not see the name of the domain (CN=Partitions of the configuration), so the part before the backslash cannot be checked: write the account without it, or as account@%s", dns))
		default:
			l.hint(name, m.key, fmt.Sprintf("it names the domain %s, and %s is the domain %s (%s): name the directory of that domain, or write the account of this one without the part before the backslash", domain, name, own, dns))
		}
	}
	return out, short, nil
}

// hint keeps why a reference was not looked up, for the finding.
func (l *lister) hint(name, key, text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hints[reference{name, key}] = text
}
