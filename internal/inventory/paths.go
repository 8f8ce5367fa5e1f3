package inventory

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"rollcall/internal/credential"
	"rollcall/internal/paste"
)

// sharedPaths marks what several paths, and what several accounts, mean. One
// value cannot be the password of two accounts: were both rotated, the second
// would overwrite the first in Vault and lose it.
func (m *merger) sharedPaths() {
	owners := map[credential.Path][]*draft{}
	for _, l := range m.drafts {
		l.Paths = sortedPaths(l.Paths)
		if l.Subject == "" && l.Problem != credential.Ambiguous || l.Problem == credential.TooManyPaths {
			continue
		}
		for _, p := range l.Paths {
			owners[p] = append(owners[p], l)
		}
		if n := len(l.Paths); n > 1 {
			l.find(credential.FindingTwoPaths, "Vault holds it in %d places, and all that hold what is in force are kept current: %s", n, pathList(l.Paths))
		}
	}
	for p, ls := range owners {
		if ls = believed(p, ls); len(ls) < 2 {
			continue
		}
		names := make([]string, 0, len(ls))
		for _, l := range ls {
			names = append(names, l.Name)
		}
		slices.Sort(names)
		earlier := ""
		if slices.ContainsFunc(ls, func(l *draft) bool { return slices.Contains(l.Ours, p) }) {
			earlier = fmt.Sprintf(", or, where an earlier campaign put the value of one there, say whose it is now (%s)", paste.Entry("confirm", "account", paste.Left, "path", p.String()))
		}
		for _, l := range ls {
			if l.Subject != "" {
				l.Problem = credential.SharedPath // a name of several accounts stays that
			}
			l.find(credential.FindingSharedPath, "%s is named as the place of %d accounts and can hold the value of one: %s; correct the manifest or the custom_metadata%s", p, len(ls), strings.Join(names, "; "), earlier)
		}
	}
	for _, l := range m.drafts {
		l.leftWithout()
	}
}

func pathList(paths []credential.Path) string {
	out := make([]string, 0, len(paths))
	for _, p := range paths {
		out = append(out, p.String())
	}
	return strings.Join(out, ", ")
}

// adopt gives every account without a path the default one, and a person's
// the place where the owner is handed a temporary password. Where two accounts
// would get the same, or a path that is somebody's already, both get their
// immutable id added.
//
// Those with a path get the default one with their immutable id as a spare:
// where a new value goes if the account refuses what its paths hold.
func (m *merger) adopt(own ownIdentities) error {
	plain := map[*draft]credential.Path{}
	taken := map[secretPath]int{} // secrets, for one of ours has one owner
	for _, l := range m.drafts {
		for _, p := range l.Paths {
			taken[secretPathOf(p)]++
		}
		if len(l.Paths) == 0 && l.Subject != "" && l.Problem == "" && !l.Kind.OnlyEnds() {
			p, err := m.adopted(l, l.short)
			if err != nil {
				return err
			}
			taken[secretPathOf(p)]++
			plain[l] = p
		}
	}
	for id, l := range m.drafts {
		if _, ours := own[id]; ours || l.Kind.OnlyEnds() || l.Subject == "" || l.Problem != "" || l.Hearsay {
			continue
		}
		spare, err := m.adopted(l, l.short+"-"+l.Subject)
		if err != nil {
			return err
		}
		if p, adopted := plain[l]; adopted {
			l.Adopted, l.Paths = true, []credential.Path{p}
			if taken[secretPathOf(p)] > 1 {
				l.Paths, l.Confirmed = []credential.Path{spare}, []credential.Path{spare}
			}
			l.Named = l.Paths
			l.Ours = keepOf(l.Paths, m.lost.placed[id])
		}
		if !slices.Contains(l.Paths, spare) {
			l.Spare = &spare
		}
	}
	return nil
}

func (m *merger) adopted(l *draft, account string) (credential.Path, error) {
	key, template := "vault.adopt", m.c.Vault.Adopt
	if l.HandsOver() {
		key, template = "vault.handover", m.c.Vault.HandOver
	}
	p, err := credential.ParsePath(filled(template, l.Authority, account))
	if mount := m.lost.mounts[template+" "+l.Authority]; mount != "" {
		if rest, below := strings.CutPrefix(p.Mount+"/"+p.Path, mount+"/"); below {
			p.Mount, p.Path = mount, rest
		}
	}
	if err != nil {
		return credential.Path{}, &naming{fmt.Errorf("%s gives no usable path for %s: %w", key, l.Name, err), key + " gives no usable path for an account"}
	}
	// The file's field is meant for passwords.
	if field := l.Kind.Traits().Fields(); field != credential.PasswordField {
		p.Field = field
	}
	return p, nil
}

// filled is a template's path for an account.
func filled(template, authority, account string) string {
	return strings.NewReplacer("{directory}", segment(authority), "{account}", segment(account)).Replace(template)
}

// templateMounts asks where the mounts end of what the file's templates give: a
// mount may have several segments, and who may read a new value is asked by the
// path below its mount.
func (l *lister) templateMounts(ctx context.Context) (map[string]string, error) {
	out := map[string]string{}
	for _, template := range []string{l.c.Vault.Adopt, l.c.Vault.HandOver} {
		for _, authority := range append(l.c.Authorities(), credential.VaultAuthority) {
			p, err := credential.ParsePath(filled(template, authority, "x"))
			if err != nil {
				continue // adopted says so of the account that would get it
			}
			if p, err = l.cut(ctx, p); err != nil {
				return nil, err
			}
			out[template+" "+authority] = p.Mount
		}
	}
	return out, nil
}

// segment makes a name fit for one segment of a Vault path: lower case, because
// two uids that differ by case are one account, and "_" for whatever has a
// meaning in paths or in mount/path#field.
func segment(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("._-@", r) {
			return unicode.ToLower(r)
		}
		return '_'
	}, s)
	if strings.Trim(s, ".") == "" {
		return "_" + s
	}
	return s
}
