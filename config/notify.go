package config

import (
	"encoding/json"
	"fmt"
	"net"
	netmail "net/mail"
	"net/url"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"rollcall/internal/credential"
	"rollcall/internal/notify/settings"
)

// Folders of the programs that a ledger worker runs for a campaign file.
const (
	notifyFolder = "/etc/rollcall/notify.d"
	reloadFolder = "/etc/rollcall/reload.d"
)

// defaultStall is after how long without an entry in the ledger people are
// told.
const defaultStall = 10 * time.Minute

// Told is whom the campaign tells, for the roll; nil where it is nobody.
func (c *Campaign) Told() json.RawMessage {
	if len(c.Notify.Targets) == 0 && !slices.ContainsFunc(c.UsedBy, func(u settings.UsedBy) bool { return u.Reload != nil }) {
		return nil
	}
	told := settings.Told{Notify: c.Notify, UsedBy: c.UsedBy}
	if c.Open != nil && !c.Scheduled {
		told.Wait = time.Duration(c.Open.Wait)
	}
	if c.Containment != nil {
		told.Never = c.Containment.Addresses
	}
	text, err := json.Marshal(told)
	if err != nil {
		return nil // of texts and numbers it cannot be
	}
	return text
}

// NotifyReferences are the places in Vault that the ledger's worker reads to
// tell somebody.
func (c *Campaign) NotifyReferences() []credential.Path {
	return settings.Told{Notify: c.Notify, UsedBy: c.UsedBy}.References()
}

// Consumers are who reads one of paths, in the order of the file.
func (c *Campaign) Consumers(paths []credential.Path) (out []string) {
	for _, u := range c.UsedBy {
		for _, p := range paths {
			if ok, _ := Matches(u.Path, p.Mount+"/"+p.Path); !ok {
				continue
			}
			for _, who := range u.Consumers {
				if !slices.Contains(out, who) {
					out = append(out, who)
				}
			}
		}
	}
	return out
}

// notify reads who is told of the campaign.
func (l *loader) notify(top fields, c *Campaign) (out settings.Notify) {
	if !top.has("notify") {
		return out
	}
	f := l.mapping(top.vals["notify"], "notify", "stall", "webhooks", "commands", "mail")
	out.Stall = time.Duration(f.duration("stall", defaultStall, 10*time.Second, 24*time.Hour))
	names := map[string]int{}
	take := func(key string, read func(n *yaml.Node, where string) (settings.Target, bool)) {
		for i, n := range f.list(key) {
			if n.Kind != yaml.MappingNode {
				l.mapping(n, fmt.Sprintf("notify.%s[%d]", key, i))
				continue
			}
			t, ok := read(n, fmt.Sprintf("notify.%s[%d]", key, i))
			if !ok {
				continue
			}
			if first := names[t.Name]; first > 0 {
				l.problem(n.Line, "notify.%s[%d].name: the receiver on line %d has this name already", key, i, first)
			}
			names[t.Name] = n.Line
			out.Targets = append(out.Targets, t)
		}
	}
	take("webhooks", func(n *yaml.Node, where string) (settings.Target, bool) {
		f := l.mapping(n, where, "name", "events", "url", "secret", "ca_file")
		t := f.receiver()
		t.URL, t.Key, t.CA = f.hookURL("url"), f.notifySecret("secret", "what the web hook is signed with", c), f.certificates("ca_file")
		return t, t.Name != "" && t.URL != ""
	})
	take("commands", func(n *yaml.Node, where string) (settings.Target, bool) {
		f := l.mapping(n, where, "name", "events", "command")
		t := f.receiver()
		t.Command = f.argv("command", notifyFolder)
		return t, t.Name != "" && t.Command != nil
	})
	take("mail", func(n *yaml.Node, where string) (settings.Target, bool) {
		f := l.mapping(n, where, "name", "events", "server", "tls", "from", "to", "login", "password", "ca_file")
		t := f.receiver()
		t.Mail, t.CA = f.mail(c), f.certificates("ca_file")
		return t, t.Name != "" && t.Mail != nil
	})
	return out
}

// receiver reads what every target has.
func (f fields) receiver() (t settings.Target) {
	t.Name = f.required("name", "a name for messages about it")
	if t.Name != "" && !nameForm.MatchString(t.Name) {
		f.problem("name", nameRule)
		t.Name = ""
	}
	var known []string
	for _, e := range settings.Events() {
		known = append(known, string(e))
	}
	for _, n := range f.list("events") {
		s, ok := f.l.text(n, f.at("events"))
		switch {
		case !ok:
		case !slices.Contains(known, s):
			f.l.problem(n.Line, "%s: unknown: %s; one of %s", f.at("events"), shown(s), strings.Join(known, ", "))
		default:
			t.Events = append(t.Events, settings.Event(s))
		}
	}
	return t
}

// hookURL is where a web hook goes.
func (f fields) hookURL(key string) string {
	const form = "an address that begins with https://, without a login in it"
	s := f.required(key, form)
	if s == "" {
		return ""
	}
	if f.discloses(key, s) {
		return ""
	}
	if u, err := url.Parse(s); err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.Fragment != "" {
		f.problem(key, "must be %s", form)
		return ""
	}
	return s
}

// argv is a command without a shell, of one folder.
func (f fields) argv(key, folder string) []string {
	form := fmt.Sprintf("a list without a shell: [%s/NAME, an argument]", folder)
	if !f.has(key) {
		f.problem(key, "missing: %s", form)
		return nil
	}
	var out []string
	for _, n := range f.list(key) {
		if n.Kind != yaml.ScalarNode || strings.ContainsRune(n.Value, 0) {
			f.problem(key, "must be %s", form)
			return nil
		}
		if f.discloses(key, n.Value) {
			return nil
		}
		out = append(out, n.Value)
	}
	if len(out) == 0 || !strings.HasPrefix(out[0], "/") {
		f.problem(key, "must begin with the whole path of a program, which lies in %s of the ledger worker", folder)
		return nil
	}
	return out
}

// discloses complains of a text that looks as if it held a value.
func (f fields) discloses(key, text string) bool {
	what := credential.Discloses(text)
	if what != "" {
		f.problem(key, "%s: neither a command nor an address may hold one; what is told are names alone", what)
	}
	return what != ""
}

// notifySecret is where Vault holds a secret that the ledger's worker reads. It
// has no business with what is rotated.
func (f fields) notifySecret(key, why string, c *Campaign) credential.Path {
	p := f.reference(key, "where Vault holds "+why+": mount/path#field")
	if p.Mount == "" {
		return p
	}
	at := p.Mount + "/" + p.Path
	for _, s := range c.Sources {
		if s.Prefix != "" && (at == s.Prefix || strings.HasPrefix(at, strings.TrimSuffix(s.Prefix, "/")+"/")) {
			f.problem(key, "lies below %s, which a source lists: what is rotated is not for the ledger's worker to read; keep it elsewhere", s.Prefix)
		}
	}
	if p.Mount == c.Vault.Mount {
		f.problem(key, "is on Rollcall's own mount: keep it on one of yours")
	}
	return p
}

// mail is a server that takes mail, from whom and for whom.
func (f fields) mail(c *Campaign) *settings.Mail {
	m := &settings.Mail{Server: f.required("server", "host:port, for example mail.example.org:587"), From: f.address("from", f.required("from", "the address that the mail comes from"))}
	if host, port, err := net.SplitHostPort(m.Server); m.Server != "" && (err != nil || host == "" || port == "") {
		f.problem("server", "must be host:port, for example mail.example.org:587")
		return nil
	}
	m.Implicit = f.oneOf("tls", "starttls", []string{"starttls", "implicit"}) == "implicit"
	for _, n := range f.list("to") {
		if s, ok := f.l.text(n, f.at("to")); ok {
			m.To = append(m.To, f.address("to", s))
		}
	}
	if len(m.To) == 0 {
		f.problem("to", "missing: a list of addresses")
		return nil
	}
	m.Login = f.str("login")
	switch {
	case m.Login != "":
		m.Password = f.notifySecret("password", "the password of that login", c)
	case f.has("password"):
		f.problem("password", "goes with login")
	}
	if m.Server == "" || m.From == "" {
		return nil
	}
	return m
}

// address is one of mail, bare.
func (f fields) address(key, s string) string {
	if s == "" {
		return ""
	}
	if a, err := netmail.ParseAddress(s); err != nil || a.Address != s || strings.ContainsAny(s, "\r\n\"") {
		f.problem(key, "must be the bare address of a mailbox, for example duty@example.org")
		return ""
	}
	return s
}

// usedBy reads who reads which paths.
func (l *loader) usedBy(top fields, c *Campaign) (out []settings.UsedBy) {
	paths := map[string]int{}
	for i, n := range top.list("used_by") {
		where := fmt.Sprintf("used_by[%d]", i)
		f := l.mapping(n, where, "path", "consumers", "reload")
		if n.Kind != yaml.MappingNode {
			continue
		}
		u := settings.UsedBy{Path: f.required("path", "a path in Vault that consumers read, mount/path; * stands for any text")}
		if _, err := Matches(u.Path, ""); err != nil || strings.Contains(u.Path, "#") {
			f.problem("path", "must be mount/path, without #field; * stands for any text, ? for one character, [a-z] for one of a set")
		}
		if first := paths[u.Path]; first > 0 && u.Path != "" {
			f.problem("path", "line %d has this path already: give that one all of its consumers", first)
		}
		paths[u.Path] = n.Line
		for _, item := range f.list("consumers") {
			if s, ok := l.text(item, f.at("consumers")); ok && s != "" && !f.discloses("consumers", s) {
				u.Consumers = append(u.Consumers, s)
			}
		}
		if len(u.Consumers) == 0 {
			f.problem("consumers", "missing: a list of who reads it, for example [postfix on mx1]")
		}
		u.Reload = l.reload(f, u.Path, c)
		out = append(out, u)
	}
	return out
}

func (l *loader) reload(f fields, path string, c *Campaign) *settings.Target {
	if !f.has("reload") {
		return nil
	}
	m := l.mapping(f.vals["reload"], f.at("reload"), "command", "url", "secret", "ca_file")
	t := &settings.Target{Name: "reload of " + path, Events: []settings.Event{settings.Reload}}
	switch {
	case m.has("command") == m.has("url"):
		f.problem("reload", "must be one of command, a list without a shell ([%s/NAME]), and url, https", reloadFolder)
		return nil
	case m.has("command"):
		m.noUse("url", "secret", "ca_file")
		t.Command = m.argv("command", reloadFolder)
	default:
		t.URL, t.Key, t.CA = m.hookURL("url"), m.notifySecret("secret", "what the web hook is signed with", c), m.certificates("ca_file")
	}
	return t
}
