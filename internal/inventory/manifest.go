package inventory

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/vault/minted"
)

// A manifest is a list that people keep of what a device knows. Each row has
//
//	kind       approle-secret-id, userpass-password, vault-token, or what the directory's accounts have (default):
//	           ldap-password, or ad-password in Active Directory; user-password
//	           there for a person's account, which then has no path
//	directory  a directory of the campaign; may be left out where there is one
//	account    DN, uid, mail or entryUUID (389 Directory Server: nsUniqueId); in Active Directory DN, sAMAccountName,
//	           userPrincipalName, servicePrincipalName, mail or objectGUID;
//	           mount/role for an AppRole, mount/name for a userpass user,
//	           the accessor of a token of Vault
//	path       where Vault holds it, mount/path#field; may be left out
//	new        true where that secret is not there yet, and is to be made
//	line       lines of the device's profile that it answers, with blanks between them
//	suggested  true where nothing but the secret at path says that it is the
//	           account's (rollcall list --suggest-manifest); a person who has seen
//	           to it takes that out
//	note       for people; becomes part of the provenance
//	doors      doors of the campaign file that take its secret too, with
//	           semicolons between them
//
// A row of what only a person can change (by-hand and its forms) has no account
// and directory. Its path is where Vault holds the value, which doors are asked
// with: the person writes the new one there. It has besides
//
//	name       what the task is called
//	owner      who sees to it: an entity of Vault's, or a login, MOUNT/NAME
//	due        until when: a time, a date, or how long after the start
//	ends       where it has to be done, with semicolons between them, each
//	           perhaps with an owner of its own: END = OWNER; the profile's line
//	           says them where it is left out
//	make       whether Rollcall makes the new value: true or false
//	login      the name with which it logs in at its doors
//
// and its doors may say at which end they are: DOOR = END. It is written
// as a YAML list of mappings or as CSV with a header line (see readCSV). It
// holds no secrets: a column that looks like one is refused.
var columns = append([]string{"kind", "directory", "account", "path", "line", "note", "doors", "new", "suggested"}, taskColumns...)

// row is one line of a manifest as text.
type row struct {
	fileLine int
	cells    map[string]string
	// exact is the account with the blanks at its ends; loose: they stand there
	// without quotes, so that they may be the layout's.
	exact string
	loose bool
	ends  []credential.TaskEnd // where a row has them as a list
}

// table is a manifest being read; mistakes collect in errs.
type table struct {
	rows  []row
	errs  *config.Errors
	named map[string]int // tasks, folded, and their lines

	behindHash int // the line that would be the header without its #; 0: none
}

func (t *table) problem(line int, format string, args ...any) {
	t.errs.List = append(t.errs.List, config.Problem{Line: line, Text: fmt.Sprintf(format, args...)})
}

// InManifests are what the manifests of a campaign file call accounts and
// tasks, as they stand there. It reads what the file has with it and asks no
// server; a manifest with mistakes gives nothing.
func InManifests(c *config.Campaign) (names []string) {
	for _, s := range c.Sources {
		if config.TraitsOfSource(s.Type).Rows {
			_ = manifest(c, s, func(found Candidate) { names = append(names, found.Account) })
		}
	}
	return slices.DeleteFunc(names, func(name string) bool { return name == "" })
}

// manifest gives each row of the source's file to add, or *config.Errors with
// every mistake in it and nothing to add.
func manifest(c *config.Campaign, s config.Source, add func(Candidate)) error {
	t := &table{errs: &config.Errors{File: s.File}}
	text, encoding := t.plainText(s.Content)
	switch {
	case len(t.errs.List) > 0:
	case strings.EqualFold(filepath.Ext(s.File), ".csv"):
		t.readCSV(text, encoding)
	default:
		t.readYAML(text)
	}
	found := make([]Candidate, 0, len(t.rows))
	for _, r := range t.rows {
		found = append(found, t.candidate(c, s, r))
	}
	if len(t.errs.List) > 0 {
		slices.SortStableFunc(t.errs.List, func(a, b config.Problem) int { return cmp.Compare(a.Line, b.Line) })
		return t.errs
	}
	for _, f := range found {
		add(f)
	}
	return nil
}

func (t *table) candidate(c *config.Campaign, s config.Source, r row) Candidate {
	detail := fmt.Sprintf("%s:%d", s.File, r.fileLine)
	if n := r.cells["note"]; n != "" {
		detail += ", " + n
	}
	cand := Candidate{
		Kind:      credential.Kind(r.cells["kind"]),
		Authority: r.cells["directory"],
		Account:   r.cells["account"],
		Reason:    credential.Reason{Source: s.Name, Type: s.Type, Detail: detail},
		Lines:     t.profileLines(c, s, r),
	}
	cand.New = t.yes(r, "new", false, "whether the secret at path is not there yet")
	if cand.New && r.cells["path"] == "" {
		t.problem(r.fileLine, "new: belongs to path: it says that the secret there is not there yet")
	}
	if t.yes(r, "suggested", false, "whether only the secret at path says so") {
		t.suggested(&cand, r)
	}
	if cand.Kind.ByHand() {
		return t.task(c, s, r, cand)
	}
	for _, column := range taskColumns {
		if r.cells[column] != "" {
			t.problem(r.fileLine, "%s: belongs to what a person does: give the row a kind of those (%s), or leave it out", column, anyTask())
		}
	}
	if cand.Account == "" && r.cells["path"] == "" {
		t.problem(r.fileLine, "needs account or path, or it names nothing")
	}
	if cand.Kind == "" {
		cand.Kind = s.Kind
	}
	if cand.Doors = t.doors(c, r, nil); r.cells["doors"] != "" && cand.Kind.OnlyEnds() {
		t.problem(r.fileLine, "doors: %s", config.NoDoorFor(cand.Kind))
	}
	switch traits := cand.Kind.Traits(); {
	case cand.Kind != "" && traits.Kind == "":
		t.problem(r.fileLine, "kind: must be %s", anyKind())
	case traits.OnlyEnds:
		t.token(&cand, r)
		return cand
	case traits.Login != nil:
		if cand.Authority != "" && cand.Authority != credential.VaultAuthority {
			t.problem(r.fileLine, "directory: leave it out, Vault itself decides on %s", traits.Login.What)
		}
		cand.Authority = credential.VaultAuthority
		if _, _, ok := cutRole(cand.Account); !ok && cand.Account != "" {
			t.problem(r.fileLine, "account: %s is written as mount/name, for example %s", traits.Login.What, traits.Login.Example)
		}
	default:
		t.directory(c, &cand, r)
		if _, exact := c.Systems[cand.Authority]; exact && cand.Account != "" {
			cand.Account = t.exactly(c, cand.Authority, r)
		}
		usual := c.KindOf(cand.Authority)
		takes := usual != "" && slices.Contains(c.Authority(cand.Authority).Kinds(), cand.Kind)
		switch {
		case cand.Kind == "":
			cand.Kind = usual
		case usual == "": // no such authority, which is said
		case traits.HandsOver && !takes:
			t.problem(r.fileLine, "kind: accounts of this directory have %s; %s is for people in Active Directory", usual, cand.Kind)
		case !takes:
			t.problem(r.fileLine, "kind: accounts of %s have %s; leave it out", t.called(c, cand.Authority), usual)
		}
		if traits.HandsOver && r.cells["path"] != "" {
			t.problem(r.fileLine, "path: leave it out, a person's password is in no path that anything reads; if something does, the account is a service's and has %s", usual)
		}
	}
	if text := r.cells["path"]; text != "" {
		p, ok := config.ParseReference(text)
		if !ok {
			t.problem(r.fileLine, "path: must be a Vault reference, mount/path#field")
		}
		var err error
		if p.Field, err = cand.Kind.Traits().FieldsOf(p.Field); err != nil {
			t.problem(r.fileLine, "path: %v", err)
		}
		cand.Path = &p
	}
	return cand
}

// suggested makes a row the word of the secret at its path alone, which
// whoever may write that may have written.
func (t *table) suggested(cand *Candidate, r row) {
	switch {
	case cand.Kind.ByHand(), cand.Kind.OnlyEnds():
		t.problem(r.fileLine, "suggested: does not belong to a row of the kind %s, which only a person can name", cand.Kind)
	case cand.Account == "" || r.cells["path"] == "":
		t.problem(r.fileLine, "suggested: belongs to account and path: it says that nothing but the secret there names the account")
	case cand.New:
		t.problem(r.fileLine, "suggested: a secret that is not there yet suggests nothing: leave out one of new and suggested")
	}
	cand.Reason.Type = config.Suggested
}

// token is a row of a token of Vault: it is ended, so it has no path.
func (t *table) token(cand *Candidate, r row) {
	if cand.Authority != "" && cand.Authority != credential.VaultAuthority {
		t.problem(r.fileLine, "directory: leave it out, Vault itself decides on a token")
	}
	cand.Authority = credential.VaultAuthority
	if r.cells["path"] != "" {
		t.problem(r.fileLine, "path: leave it out, a token is ended and no new one is left anywhere")
	}
	accessor, why := config.Accessor(r.exact)
	if why != "" {
		t.problem(r.fileLine, "account: %s", why)
	}
	cand.Account = minted.TokenPrefix + accessor
}

// yes reads a cell that says whether something is so.
func (t *table) yes(r row, column string, otherwise bool, what string) bool {
	switch strings.ToLower(r.cells[column]) {
	case "":
		return otherwise
	case "true", "yes":
		return true
	case "false", "no":
	default:
		t.problem(r.fileLine, "%s: must be true or false: %s", column, what)
	}
	return false
}

// exactly is the account of a row at an authority that knows names by their
// very text.
func (t *table) exactly(c *config.Campaign, authority string, r row) string {
	if r.loose {
		t.problem(r.fileLine, "account: has a blank at an end, and in %s that makes another name: take it out; or, where it is part of the name, write the whole in double quotes or the account's number (oid)", c.Called(authority))
	}
	return r.exact
}

// anyTask names the kinds of what only a person can change.
func anyTask() string {
	var names []string
	for _, k := range credential.Kinds() {
		if k.ByHand() {
			names = append(names, string(k))
		}
	}
	return strings.Join(names, ", ")
}

// anyKind names all kinds as a choice.
func anyKind() string {
	var names []string
	for _, k := range credential.Kinds() {
		names = append(names, string(k))
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " or " + names[last]
}

func (t *table) directory(c *config.Campaign, cand *Candidate, r row) {
	if cand.Authority == "" {
		cand.Authority, cand.Assumed = onlyAuthority(c), true
		if cand.Authority == "" {
			t.problem(r.fileLine, "directory: missing, and the campaign file does not have exactly one")
		}
		return
	}
	if c.Authority(cand.Authority) == nil {
		t.problem(r.fileLine, "directory: not in the campaign file, which has: %s", strings.Join(c.Authorities(), ", "))
	}
}

// called is what a message about a row calls an authority.
func (t *table) called(c *config.Campaign, name string) string {
	if _, ok := c.Directories[name]; ok || name == "" {
		return "this directory"
	}
	return c.Called(name)
}

// column checks the name of a column and reports whether it may be read. known
// is how many columns of its header are; read says how the file was read, if
// there is more than one way.
func (t *table) column(line int, name string, known int, read string) bool {
	if read != "" {
		read = " (" + read + ")"
	}
	switch {
	case slices.Contains(columns, name):
		return true
	case config.SecretName(name) && !isReference(name):
		t.problem(line, "a column for secrets is refused: a manifest says where Vault holds a secret (path), never the secret; remove the column, and treat what was in it as disclosed")
	case known > 0:
		t.problem(line, "unknown column %s; known: %s%s", shownColumn(name), strings.Join(columns, ", "), read)
	}
	return false
}

// isReference: it names a place of a secret, as a row does that stands where
// the header is missing.
func isReference(name string) bool {
	_, is := config.ParseReference(name)
	return is
}

// noColumn: nothing in the header is known, so it may be no header at all, and
// is not repeated.
func (t *table) noColumn(line int, read string) {
	behind := ""
	if t.behindHash > 0 {
		behind = fmt.Sprintf(", and line %d names them behind a #, which makes it a comment: take the # away", t.behindHash)
	}
	t.problem(line, "no column of the header is known, with commas, semicolons, tabs or bars between them (it was %s); the first line that is no comment must name the columns%s: call them account and path, and if need be %s", read, behind, "kind, directory, line, note, new, suggested, or for what a person does "+strings.Join(taskColumns, ", "))
}
