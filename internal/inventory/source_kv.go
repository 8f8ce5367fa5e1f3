package inventory

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/plural"
	"rollcall/internal/vault"
)

// The keys of custom_metadata with which a KV v2 secret says whose it is. Only
// account is needed; directory may be left out where the campaign has one. For
// a login to Vault, directory is vault and account is mount/role or mount/user.
const (
	metaDirectory = "directory"
	metaAccount   = "account"
	metaField     = "field"
	metaLine      = "line" // of the device's profile
	metaDoors     = "doors"
	metaOwner     = "owner" // who sees to it if it stays open
	metaDue       = "due"   // and for how long, from the listing on
)

// kv lists every secret below a prefix. One without metadata is a candidate
// all the same: somebody put it where the device reads.
func (l *lister) kv(ctx context.Context, s config.Source) error {
	err := l.vault.ListSecrets(ctx, s.Prefix, func(m vault.SecretMeta) error {
		m, held := heldBack(m)
		c := fromMetadata(l.c, s, m)
		c.HeldBack = held
		if err := l.loginKind(ctx, &c); err != nil {
			return err
		}
		if live, asked, read := m.Live(c.Path.Field); read {
			l.held.put(*c.Path, l.heldOf(live))
			l.saw(*c.Path, live, asked)
			c.byField(s.AccountField, live)
			l.askKeeping(c)
			c.Users, c.Settings, c.Fields = live.Users(), live.Settings(), live.Keys
		}
		l.add(c)
		return nil
	})
	if err != nil {
		below := s.Prefix
		if vault.IsKind(err, vault.NoMount) {
			below = "its prefix"
		}
		if vault.IsKind(err, vault.NotKV2) {
			return fmt.Errorf("source %s: %w; nothing is rotated there, for it keeps no version before the one that is written. Upgrade it, or take this source out and name each of its secrets in a manifest (path: %s/…#FIELD, account: …), so that they are on the roll and stay open as %s",
				s.Name, err, strings.Trim(s.Prefix, "/"), credential.NotKV2)
		}
		return fmt.Errorf("source %s: listing Vault secrets below %s: %w; the listing was given up and nothing was changed: "+
			"check that the prefix lies on a KV v2 mount and that the token may list and read metadata there (rollcall doctor), then list again",
			s.Name, below, err)
	}
	return nil
}

// heldBack takes out of a secret's metadata what is a secret itself, before
// anything is made of it: names go into the ledger, and to servers that are
// asked for them. keys are those that said it.
func heldBack(m vault.SecretMeta) (clean vault.SecretMeta, keys []string) {
	live, _, read := m.Live("")
	if !read {
		return m, nil
	}
	custom := map[string]string{}
	for key, text := range m.Custom {
		// What says who, or which field, is taken back only where it is a
		// secret as it stands: a part of a longer name may be one by chance.
		whole := slices.Contains([]string{metaAccount, metaDirectory, metaField}, key)
		tells := live.Tells(text, whole, looksSecret) && !vault.NameShaped(strings.TrimSpace(text))
		if !tells || key == metaField && slices.Contains(live.Keys, text) {
			custom[key] = text
		} else {
			keys = append(keys, shownName(key))
		}
	}
	slices.Sort(keys)
	m.Custom = custom
	return m, keys
}

// shownName is what may be repeated of a name that a secret gives: a key of its
// data or its metadata, into which somebody may have put a password.
func shownName(name string) string {
	if vault.Repeatable(name) {
		return name
	}
	return fmt.Sprintf("(a name of %s that is not written as names are, so that it may be a secret)", plural.Count(utf8.RuneCountInString(name), "character", "characters"))
}

// byField takes the word of one of the secret's fields for whose it is, where
// its metadata says nothing. Whoever may write the secret may have written
// that, as he may the metadata.
func (c *Candidate) byField(field string, live vault.Live) {
	if field == "" || c.Account != "" || c.Authority == credential.VaultAuthority {
		return
	}
	c.ByField = field
	if c.Account, c.FieldSays = live.UserIn(field); c.Account != "" {
		c.Reason.Detail += ", its field " + field
	}
}

// forgetUnknown takes the word of a field back where no authority knows an
// account of that name: it may be a password in the wrong field, so that nobody
// is shown it.
func (l *lister) forgetUnknown(known accounts) {
	for i := range l.candidates {
		c := &l.candidates[i]
		if c.ByField == "" || c.Account == "" || len(known[refTo(l.c, c.Authority, c.Account)]) > 0 {
			continue
		}
		c.Account = ""
		if c.FieldSays = "no account of " + c.Authority + " is called so"; c.Authority == "" {
			c.FieldSays = "the campaign has several authorities: say in the source whose accounts it names (directory)"
		}
	}
}

func fromMetadata(c *config.Campaign, s config.Source, m vault.SecretMeta) Candidate {
	cand := Candidate{
		Authority: m.Custom[metaDirectory],
		Account:   m.Custom[metaAccount],
		AnyField:  m.Custom[metaField] == "",
		Path:      &credential.Path{Mount: m.Mount, Path: m.Path, Field: m.Custom[metaField]},
		Reason:    credential.Reason{Source: s.Name, Type: s.Type, Detail: m.Mount + "/" + m.Path, Owner: m.Custom[metaOwner], Due: m.Custom[metaDue]},
	}
	cand.Lines = sourceLines(s)
	if c.Profile != nil {
		for _, id := range strings.Fields(m.Custom[metaLine]) {
			if c.Profile.Unknown(id) != "" {
				cand.UnknownLine = c.Profile.Unknown(shownName(id))
				continue
			}
			cand.Lines = append(cand.Lines, credential.LineRef{Line: id, By: credential.ByMetadata})
		}
	}
	cand.Doors, cand.UnknownDoor = metadataDoors(c, m.Custom[metaDoors])
	for key := range m.Custom {
		for _, known := range []string{metaDirectory, metaAccount, metaField} {
			if _, there := m.Custom[known]; !there && strings.EqualFold(strings.Trim(key, " _-:"), known) {
				cand.Misnamed = append(cand.Misnamed, shownName(key))
			}
		}
	}
	slices.Sort(cand.Misnamed)
	switch cand.Authority {
	case credential.VaultAuthority:
		cand.Kind = credential.AppRoleSecretID // if its auth mount is of another type: loginKind
	case "":
		if cand.Authority = s.Directory; cand.Authority == "" {
			cand.Authority, cand.Assumed = onlyAuthority(c), true
		}
		fallthrough
	default:
		cand.Kind = c.KindOf(cand.Authority)
	}
	if cand.AnyField {
		cand.Path.Field = cand.Kind.Traits().Fields()
	}
	return cand
}
