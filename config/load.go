package config

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Load reads and checks the campaign file at path, fills in defaults, and
// embeds the files it names. It reads local files and nothing else: whether
// servers answer is for "rollcall doctor".
//
// A file that is wrong gives *Errors with every mistake; any other error
// means that the file could not be read. Either way nothing was changed.
func Load(path string) (*Campaign, error) {
	return (&loader{}).load(path)
}

// LoadForReading is Load for who looks at what campaigns left. Of the file it
// takes the device, Vault's mounts and where the ledgers are. The rest is not
// looked at, and no file that it names has to be there.
func LoadForReading(path string) (*Campaign, error) {
	return (&loader{forReading: true}).load(path)
}

func (l *loader) load(path string) (*Campaign, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the campaign file: %w; name another with -f, or write one: the README has a small one, and config/example.yaml each key", err)
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("finding the folder of the campaign file: %w", err)
	}
	l.dir, l.errs.File = filepath.Dir(abs), path
	c, err := l.read(text)
	if err != nil {
		return nil, err
	}
	c.FileSHA256 = fmt.Sprintf("%x", sha256.Sum256(text))
	return c, nil
}

func load(name, dir string, text []byte) (*Campaign, error) {
	return (&loader{dir: dir, errs: Errors{File: name}}).read(text)
}

func (l *loader) read(text []byte) (*Campaign, error) {
	l.refused = refusedSet{}
	var c *Campaign
	switch root := l.parse(text); {
	case root == nil:
	case root.Kind != yaml.MappingNode:
		l.problem(root.Line, "must be a mapping that begins with device: NAME")
	default:
		l.refuseSecrets(root)
		c = l.campaign(l.mapping(root, "",
			append([]string{"device", "formerly", "incident", "containment", "profile", "answers", "exposure", "vault", "directories", "doors", "sources", "exclude", "accept", "confirm", "waves", "limits", "notify", "used_by", "open", "logs", "watch", "ledger"}, Sections()...)...))
	}
	if len(l.errs.List) > 0 {
		l.errs.sort()
		l.others = append([]error{&l.errs}, l.others...)
	}
	switch len(l.others) {
	case 0:
		return c, nil
	case 1:
		return nil, l.others[0]
	}
	return nil, errors.Join(l.others...)
}

// name is what may become part of a Vault path, a workflow id and a folder.
var nameForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

const nameRule = "must begin with a letter or digit and hold only letters, digits, '.', '_' and '-', 64 at most"

func (l *loader) campaign(top fields) *Campaign {
	c := &Campaign{Device: top.required("device", "name the compromised appliance, for example esg-01")}
	if c.Device != "" && !nameForm.MatchString(c.Device) {
		top.problem("device", nameRule)
	}
	c.Formerly = l.formerDevices(top, c.Device)
	c.LedgerDir = l.ledgerDir(top)
	if l.forReading {
		c.Vault = l.vault(top)
		return c
	}
	c.Incident = l.incident(top)
	c.Exposure = l.exposure(top)
	c.Containment = l.containment(top, c)
	c.Profile = l.profile(top)
	l.profileNamed = top.has("profile")
	l.answers(top, c)
	c.Vault = l.vault(top)
	c.Directories = l.directories(top)
	c.Systems = l.systems(top, c.Directories)
	c.Doors = l.doors(top, c)
	c.Sources = l.sources(top, c)
	c.Exclude = l.exclude(top)
	c.Accept = l.accept(top, c)
	c.Confirm = l.confirm(top)
	c.Limits = l.limits(top)
	c.Waves = l.waves(top, c)
	c.Notify = l.notify(top, c)
	c.UsedBy = l.usedBy(top, c)
	c.Open = l.open(top)
	c.Logs = l.logs(top)
	c.Watch = l.watch(top, c)
	return c
}

func (l *loader) ledgerDir(top fields) string {
	dir := l.mapping(top.vals["ledger"], "ledger", "dir").str("dir")
	if dir == "" {
		dir = "ledger"
	}
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(l.dir, dir)
	}
	return dir
}

func (l *loader) exposure(top fields) []Interval {
	var out []Interval
	for i, n := range top.list("exposure") {
		f := l.mapping(n, fmt.Sprintf("exposure[%d]", i), "from", "to")
		var in Interval
		if s := f.required("from", "the date from which the device was in foreign hands"); s != "" {
			t, err := parseWhen(s, false)
			if err != nil {
				f.problem("from", "%v", err)
			}
			in.From = t
		}
		if s, ok := f.scalar("to"); ok {
			t, err := parseWhen(s, true)
			switch {
			case err != nil:
				f.problem("to", "%v", err)
			case t.Before(in.From):
				f.problem("to", "lies before from")
			}
			in.To = t
		}
		out = append(out, in)
	}
	return out
}

func (l *loader) vault(top fields) Vault {
	f := l.mapping(top.vals["vault"], "vault", "mount", "transit", "adopt", "handover", "rotate_login", "password", "rehearsal")
	v := Vault{
		Mount:   f.mount("mount", DefaultMount),
		Transit: f.mount("transit", DefaultTransit),

		RotateLogin: f.boolean("rotate_login"),
		Rehearsal:   l.vaultRehearsal(f),
	}
	if strings.HasPrefix(v.Rehearsal.Path, v.Mount+"/") {
		f.problem("rehearsal", "path is on Rollcall's own mount: leave it out for that, and Rollcall has a place of its own there")
	}
	if v.Mount == v.Transit {
		f.problem("transit", "must be another mount than vault.mount")
	}
	if f.has("password") {
		v.Password = l.passwordPolicy(f)
	}
	if v.Password.Length > userpassLongest {
		f.problem("password", "length: userpass takes no password of more than %d bytes", userpassLongest)
	}
	v.Adopt = f.template("adopt", DefaultAdopt, v.Mount)
	v.HandOver = f.template("handover", "kv/rollcall/handover/{directory}/{account}#password", v.Mount)
	if v.Adopt == v.HandOver {
		f.problem("handover", "must be another place than vault.adopt: who may fetch a person's temporary password is not who reads those of services")
	}
	return v
}

// DefaultAdopt is where an account that has no path in Vault gets one.
const DefaultAdopt = "kv/rollcall/{directory}/{account}#password"

// userpassLongest is what bcrypt takes into account.
const userpassLongest = 72

// template is a Vault reference with placeholders, outside of our own mount.
func (f fields) template(key, def, own string) string {
	s, ok := f.scalar(key)
	if !ok {
		return def
	}
	t := strings.Trim(s, "/")
	p, ok := ParseReference(strings.NewReplacer("{directory}", "d", "{account}", "a").Replace(s))
	switch {
	case !ok:
		f.problem(key, "must be a Vault reference: mount/path#field, with {directory} and {account} in the path")
	case !strings.Contains(s, "{account}"):
		f.problem(key, "must contain {account}, or all such accounts would share one path")
	case strings.ContainsAny(p.String(), "{}"):
		f.problem(key, "only {directory} and {account} are known here")
	case p.Mount == own || strings.ContainsAny(t[:strings.IndexByte(t, '/')], "{}"):
		f.problem(key, "must name a mount of yours, not Rollcall's own and none with a placeholder in it")
	}
	return t
}

// mount is the name of a mount of one segment, without slashes.
func (f fields) mount(key, def string) string {
	s, ok := f.scalar(key)
	if !ok {
		return def
	}
	s = strings.Trim(s, "/")
	if !nameForm.MatchString(s) {
		f.problem(key, "must be the name of a mount, one segment: it %s", nameRule)
		return def
	}
	return s
}

// largest file that a campaign file may embed. Every worker holds it.
const largest = 16 << 20

// file reads a file that a key names.
func (f fields) file(key string) []byte {
	s := f.str(key)
	if s == "" {
		return nil
	}
	path := s
	if !filepath.IsAbs(path) {
		path = filepath.Join(f.l.dir, path)
	}
	b, err := readFile(path)
	if err != nil {
		f.problem(key, "cannot read the file (the path is relative to the campaign file): %v", err)
		return nil
	}
	if len(b) == 0 {
		f.problem(key, "the file is empty")
	}
	return b
}

// readFile gives errors without the path, which the message's line shows.
func readFile(path string) ([]byte, error) { return readUpTo(path, largest) }

func readUpTo(path string, largest int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err == nil {
		switch {
		case !info.Mode().IsRegular():
			return nil, errors.New("not a regular file")
		case info.Size() > largest:
			return nil, fmt.Errorf("larger than %d MiB; split it", largest>>20)
		}
		var b []byte
		if b, err = os.ReadFile(path); err == nil {
			return b, nil
		}
	}
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return nil, pe.Err
	}
	return nil, err
}
