package vault

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	vaultapi "github.com/hashicorp/vault/api"

	"rollcall/internal/credential"
	"rollcall/internal/paste"
)

// Keeping is what Vault does by itself with the versions of a secret, by the
// settings of the secret and of its mount. The text of Vault's documentation
// leaves some of it open; this is what 1.21 does
// (TestWhatVaultDoesByItselfIsToldBeforeItIsWritten).
type Keeping struct {
	// After is how long a version that is written now stays; 0: until somebody
	// deletes it.
	After time.Duration

	// ByMount: the mount's setting says so, and the secret cannot undo it.
	// BySecret: the secret's does.
	ByMount, BySecret bool

	// Versions is how many are kept.
	Versions int

	// Older are the versions before the present one that can be read, the
	// newest first.
	Older []int

	// Unseen are settings that our login may not read: of the secret, of its
	// mount.
	Unseen []string
}

// Deletes reports whether Vault deletes by itself what is written now.
func (k Keeping) Deletes() bool { return k.After > 0 }

// KeepsOlder reports whether a write leaves the version before it readable:
// with a max_versions of 1 Vault drops it. What our login may not read counts
// as not set.
func (k Keeping) KeepsOlder() bool { return k.Versions > 1 }

// Setting names what is to be changed, and Mend how.
func (k Keeping) Setting() string {
	switch {
	case k.ByMount && k.BySecret:
		return "delete_version_after of the secret and of its mount"
	case k.ByMount:
		return "delete_version_after of its mount"
	}
	return "delete_version_after of the secret"
}

// Mend is what keeps what is written from being deleted.
func (k Keeping) Mend(p credential.Path) string {
	var out []string
	if k.BySecret {
		out = append(out, fmt.Sprintf("`vault kv metadata put -mount=%s -delete-version-after=0s %s`", paste.Shell(p.Mount), paste.Last(p.Path)))
	}
	if k.ByMount {
		out = append(out, fmt.Sprintf("`vault write %s delete_version_after=0s`, which is about every secret there", paste.Shell(p.Mount+"/config")))
	}
	return strings.Join(out, ", and ")
}

// kvSettings are those of a secret, or of a mount; zero where nothing is set.
type kvSettings struct {
	after    time.Duration
	versions int
	older    []int // of a secret: versions before the present one that can be read
}

// keepingOf is what both come to.
func keepingOf(mount, secret kvSettings) Keeping {
	k := Keeping{Versions: max(mount.versions, secret.versions), Older: secret.older} // Vault takes the larger one
	if k.Versions == 0 {
		k.Versions = defaultVersions
	}
	switch {
	case mount.after < 0: // -1s: switched off for all of the mount, whatever a secret says
	case secret.after > 0 && (mount.after == 0 || secret.after <= mount.after):
		k.After = secret.after
	default:
		k.After = mount.after
	}
	k.ByMount, k.BySecret = mount.after > 0, mount.after >= 0 && secret.after > 0
	return k
}

// defaultVersions is how many versions Vault keeps where nothing says how many.
const defaultVersions = 10

const opKeeping = "read what Vault does with old versions"

// Keeping reads the settings of a secret, present or absent, and of its mount.
func (c *Client) Keeping(ctx context.Context, p credential.Path) (Keeping, error) {
	place, err := c.placeOf(ctx, p)
	if err != nil {
		return Keeping{}, err
	}
	at, err := below(place.Mount, "metadata", place.Path)
	if err != nil {
		return Keeping{}, err
	}
	secret, seen, err := c.settingsAt(ctx, at)
	if err != nil {
		return Keeping{}, err
	}
	mount, mountSeen, err := c.mountSettings(ctx, place.Mount)
	if err != nil {
		return Keeping{}, err
	}
	k := keepingOf(mount, secret)
	if !seen {
		k.Unseen = append(k.Unseen, "the secret")
	}
	if !mountSeen {
		k.Unseen = append(k.Unseen, "its mount")
	}
	return k, nil
}

// MountKeeping is Keeping by the mount's settings alone, which cost one read
// for many secrets.
func (c *Client) MountKeeping(ctx context.Context, p credential.Path) (Keeping, error) {
	place, err := c.placeOf(ctx, p)
	if err != nil {
		return Keeping{}, err
	}
	mount, seen, err := c.mountSettings(ctx, place.Mount)
	if err != nil {
		return Keeping{}, err
	}
	k := keepingOf(mount, kvSettings{})
	if !seen {
		k.Unseen = []string{"its mount"}
	}
	return k, nil
}

func (c *Client) placeOf(ctx context.Context, p credential.Path) (Place, error) {
	if p.Mount == c.own {
		return Place{p.Mount, p.Path}, nil
	}
	return c.Cut(ctx, p.Mount+"/"+p.Path)
}

// mountTTL is how long the settings of a mount are taken to be as they were
// read.
const mountTTL = 5 * time.Second

// mountsSettings remembers them. Whoever asks while they are read waits for
// that answer.
type mountsSettings struct {
	mu    sync.Mutex
	known map[string]*mountAnswer
}

type mountAnswer struct {
	mu   sync.Mutex
	at   time.Time
	is   kvSettings
	seen bool
}

func (c *Client) mountSettings(ctx context.Context, mount string) (kvSettings, bool, error) {
	c.settings.mu.Lock()
	if c.settings.known == nil {
		c.settings.known = map[string]*mountAnswer{}
	}
	a := c.settings.known[mount]
	if a == nil {
		a = &mountAnswer{}
		c.settings.known[mount] = a
	}
	c.settings.mu.Unlock()
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.at.IsZero() && time.Since(a.at) < mountTTL {
		return a.is, a.seen, nil
	}
	began := time.Now()
	is, seen, err := c.settingsAt(ctx, mount+"/config")
	if err == nil {
		a.at, a.is, a.seen = began, is, seen
	}
	return is, seen, err
}

// settingsAt reads the settings at an API path. A right that is missing is no
// error: seen is false.
func (c *Client) settingsAt(ctx context.Context, at string) (is kvSettings, seen bool, err error) {
	got, err := c.readSecret(ctx, at, nil)
	if err != nil {
		if failed := c.Fail(opKeeping, at, Read, err); !IsDenied(failed) {
			return kvSettings{}, false, failed
		}
		return kvSettings{}, false, nil
	}
	return settingsOf(got), true, nil
}

func settingsOf(got *vaultapi.Secret) (is kvSettings) {
	if got == nil {
		return is
	}
	is.versions, _ = Number(got.Data["max_versions"])
	text, _ := got.Data["delete_version_after"].(string)
	is.after, _ = time.ParseDuration(text)
	now, _ := Number(got.Data["current_version"])
	all, _ := got.Data["versions"].(map[string]any)
	for text, about := range all {
		n, err := strconv.Atoi(text)
		v, _ := about.(map[string]any)
		deleted, _ := v["deletion_time"].(string)
		if gone, _ := v["destroyed"].(bool); err == nil && n < now && !gone && deleted == "" {
			is.older = append(is.older, n)
		}
	}
	slices.SortFunc(is.older, func(a, b int) int { return b - a })
	return is
}
