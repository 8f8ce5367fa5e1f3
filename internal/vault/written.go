package vault

import (
	"context"
	"strconv"
	"time"

	"rollcall/internal/credential"
)

// Versions are those that Vault knows of a secret; none if it is not there.
type Versions struct {
	Newest  int
	Written map[int]time.Time // by number; what newer ones have driven out is missing
}

// At is when Vault wrote a version that was seen before; the zero time if the
// secret has no such version any more because it was deleted with its metadata,
// and made anew or not. known is false where newer versions have driven it out.
func (v Versions) At(version int) (at time.Time, known bool) {
	at, has := v.Written[version]
	return at, has || v.Newest < version
}

// Versions reads what Vault knows of a secret's versions.
func (c *Client) Versions(ctx context.Context, p credential.Path) (Versions, error) {
	const op = "look when versions were written"
	place, err := c.at(ctx, p.Mount, "metadata", p.Path)
	if err != nil {
		return Versions{}, err
	}
	got, err := c.readSecret(ctx, place, nil)
	if err != nil {
		return Versions{}, c.Fail(op, place, Read, err)
	}
	if got == nil {
		return Versions{}, nil
	}
	out := Versions{Written: map[int]time.Time{}}
	out.Newest, _ = Number(got.Data["current_version"])
	for text, v := range nested(got, "versions") {
		meta, _ := v.(map[string]any)
		if n, err := strconv.Atoi(text); err == nil {
			out.Written[n] = timeOf(meta["created_time"])
		}
	}
	return out, nil
}
