package posted

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"rollcall/internal/credential"
)

// Times and bounds that nobody sets.
const (
	headTime = 30 * time.Second // for TLS and what stands before the body
	bodyTime = time.Minute
	idleTime = 2 * time.Minute
	endTime  = 10 * time.Second // for posts in hand, when it ends

	mostAtOnce = 16 // posts whose bodies are in memory
	waitTurn   = 5 * time.Second

	mostWrong   = 20          // wrong tokens of one address
	wrongFor    = time.Minute // are counted for so long
	mostKnownBy = 10_000      // addresses
)

// Options of a Server.
type Options struct {
	Address   string // host:port
	Cert, Key string // files in PEM
	// Token reads what Vault has now; *NoToken says that it has none.
	Token func(ctx context.Context) (credential.Secret, error)
	Now   func() time.Time
}

// Server takes posts until it is closed.
type Server struct {
	inbox  *Inbox
	tokens *tokens
	shown  *shown
	now    func() time.Time
	at     net.Addr
	http   *http.Server
	turns  chan struct{}
	body   time.Duration // for a body
	cancel context.CancelFunc
	ended  chan struct{}

	mu      sync.Mutex
	wrong   *simplelru.LRU[netip.Addr, *guesses]
	refused Refused
	notKept NotTaken
	died    error
}

// guesses are wrong tokens of one address.
type guesses struct {
	n     int
	since time.Time
}

// Refused are posts that were refused for good, since the server began.
type Refused struct {
	Tokens, Others int
	From           string // the address of the last one
	Why            string // the last of Others, as who posted was told
}

// NotTaken are posts that are to be sent again.
type NotTaken struct {
	Times int
	Why   string // the last of them
}

// Listen begins to take posts into an inbox. A token that Vault has not is an
// error; one that cannot be read now is none. Call Close.
func Listen(ctx context.Context, in *Inbox, o Options) (*Server, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Server{
		inbox: in, now: o.Now, turns: make(chan struct{}, mostAtOnce), body: bodyTime, ended: make(chan struct{}),
		tokens: &tokens{read: o.Token, now: o.Now}, shown: &shown{cert: o.Cert, key: o.Key, now: o.Now},
	}
	s.wrong, _ = simplelru.NewLRU[netip.Addr, *guesses](mostKnownBy, nil)
	if _, err := s.shown.get(); err != nil {
		return nil, fmt.Errorf("the certificate for what is posted: %w", err)
	}
	var none *NoToken
	if err := s.tokens.renew(ctx, o.Now()); errors.As(err, &none) {
		return nil, fmt.Errorf("the token for what is posted: %w", err)
	}
	l, err := net.Listen("tcp", o.Address)
	if err != nil {
		return nil, fmt.Errorf("listening for what is posted: %w", err)
	}
	s.at = l.Addr()
	s.http = &http.Server{
		Handler: http.HandlerFunc(s.serve), ReadHeaderTimeout: headTime, IdleTimeout: idleTime, MaxHeaderBytes: 16 << 10,
		ErrorLog: log.New(io.Discard, "", 0), // it would hold what strangers send
		// One post at a time on a connection, so that connections bound posts.
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){},
		TLSConfig: &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return s.shown.get()
		}},
	}
	keeping, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s.cancel = cancel
	go s.tokens.keep(keeping)
	go func() {
		defer close(s.ended)
		if err := s.http.ServeTLS(limit(l), "", ""); !errors.Is(err, http.ErrServerClosed) {
			s.mu.Lock()
			s.died = err
			s.mu.Unlock()
		}
	}()
	return s, nil
}

// Address is where it listens.
func (s *Server) Address() string { return s.at.String() }

// Close takes no more connections, and lets the posts in hand be answered.
func (s *Server) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), endTime)
	defer cancel()
	if s.http.Shutdown(ctx) != nil {
		_ = s.http.Close()
	}
	<-s.ended
	s.cancel()
}

// Refused counts posts that were refused.
func (s *Server) Refused() Refused {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refused
}

// NotTaken counts posts that are to be sent again.
func (s *Server) NotTaken() NotTaken {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.notKept
}

// Trouble is why posts may not arrive; nil where nothing is known of that.
func (s *Server) Trouble() error {
	s.mu.Lock()
	died := s.died
	s.mu.Unlock()
	if died != nil {
		return fmt.Errorf("nothing listens any more: %w", died)
	}
	if err := s.tokens.trouble(); err != nil {
		return fmt.Errorf("the token of those who post cannot be read: %w", err)
	}
	return s.shown.trouble()
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	from := network(r.RemoteAddr)
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	n, again, err := s.post(w, r, from)
	var no *refusal
	switch {
	case err == nil && again:
		fmt.Fprintln(w, "this post was taken before")
	case err == nil:
		fmt.Fprintf(w, "taken: %d\n", n)
	case errors.As(err, &no):
		drain(r, no.status)
		s.refuses(w, no, from)
	default:
		s.holdsBack(w, err)
	}
}

// drain reads what is left of a body, some of it: who still sends would see the
// connection break, and not the answer.
func drain(r *http.Request, status int) {
	most := int64(4 * mostBody)
	if status == http.StatusUnauthorized || status == http.StatusTooManyRequests {
		most = mostBody
	}
	if r.Header.Get("Expect") == "" { // who asks first is told before he sends
		_, _ = io.CopyN(io.Discard, r.Body, most)
	}
}

// refuses says that a post is not taken, and why.
func (s *Server) refuses(w http.ResponseWriter, no *refusal, from netip.Addr) {
	switch no.status {
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", `Bearer realm="rollcall"`)
	case http.StatusTooManyRequests:
		w.Header().Set("Retry-After", "60")
	case http.StatusMethodNotAllowed:
		w.Header().Set("Allow", http.MethodPost)
	}
	w.Header().Set("Connection", "close") // what is left of the body is not read
	http.Error(w, no.words, no.status)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refused.From = from.String()
	if no.status == http.StatusUnauthorized || no.status == http.StatusTooManyRequests {
		s.refused.Tokens++
		return
	}
	s.refused.Others, s.refused.Why = s.refused.Others+1, no.words
}

// holdsBack has a post sent again.
func (s *Server) holdsBack(w http.ResponseWriter, err error) {
	said, why := "the lines cannot be kept now", err.Error()
	switch {
	case errors.Is(err, errBusy), errors.Is(err, errNoToken), errors.Is(err, ErrBehind):
		said = why
	}
	w.Header().Set("Connection", "close")
	w.Header().Set("Retry-After", "5")
	http.Error(w, said+": send them again; nothing of them was taken", http.StatusServiceUnavailable)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.notKept.Times, s.notKept.Why = s.notKept.Times+1, why
}

// Why a post is to be sent again.
var (
	errBusy    = errors.New("too many posts at once")
	errNoToken = errors.New("whether the token is right is not known: Vault has not given it, or does not answer now")
)

// post takes one. n is how many lines it has.
func (s *Server) post(w http.ResponseWriter, r *http.Request, from netip.Addr) (n int, again bool, err error) {
	// Also of what is not read any more: who shows no token may hold nothing.
	if err := http.NewResponseController(w).SetReadDeadline(time.Now().Add(s.body)); err != nil {
		return 0, false, err
	}
	if err := s.login(r, from); err != nil {
		return 0, false, err
	}
	source, ok := strings.CutPrefix(r.URL.Path, "/lines/")
	switch {
	case !ok || !s.inbox.Has(source):
		return 0, false, refuse(http.StatusNotFound, "post to /lines/SOURCE, of the sources that watch.listen of the campaign file has")
	case r.Method != http.MethodPost:
		return 0, false, refuse(http.StatusMethodNotAllowed, "lines are posted here (POST)")
	}
	select {
	case s.turns <- struct{}{}:
	case <-time.After(waitTurn):
		return 0, false, errBusy
	case <-r.Context().Done():
		return 0, false, errBusy
	}
	defer func() { <-s.turns }()
	text, err := read(r)
	if err != nil {
		return 0, false, err
	}
	all, n, err := lines(r.Header.Get("Content-Type"), text)
	if err != nil || n == 0 {
		return 0, false, err
	}
	again, err = s.inbox.Put(source, sha256.Sum256(text), all)
	return n, again, err
}

// login looks at the token. An address that shows wrong ones is told to stop; a
// right one is taken all the same.
func (s *Server) login(r *http.Request, from netip.Addr) error {
	kind, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	right, known := false, true
	if strings.EqualFold(kind, "Bearer") && token != "" {
		right, known = s.tokens.allows(r.Context(), strings.TrimSpace(token))
	}
	switch {
	case right:
		return nil
	case !known:
		return errNoToken
	case s.tooOften(from):
		return refuse(http.StatusTooManyRequests, "too many posts with a token that is not right: wait a minute")
	}
	return refuse(http.StatusUnauthorized, "the token is missing or not the right one: Authorization: Bearer TOKEN, as Vault has it at the place that watch.listen.token of the campaign file names")
}

func (s *Server) tooOften(from netip.Addr) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, ok := s.wrong.Get(from)
	if now := s.now(); !ok || now.Sub(g.since) > wrongFor || now.Before(g.since) {
		g = &guesses{since: now}
		s.wrong.Add(from, g)
	}
	g.n++
	return g.n > mostWrong
}
