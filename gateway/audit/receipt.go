package audit

import (
	"bytes"
	"cmp"
	"context"
	"crypto/ed25519"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/drawbridge-itsm/drawbridge/store"
)

// Receipt says what was decided, by whom and under what, and where the record stood then. Its text is short, survives
// what desks do to comments, and can be checked with the public key alone.
type Receipt struct {
	ID       string    `json:"id"`
	Decision string    `json:"decision"`
	Case     string    `json:"case"`
	Source   string    `json:"source"`
	Tenant   string    `json:"tenant,omitempty"`
	Request  string    `json:"request"`
	Outcome  string    `json:"outcome"`
	Once     bool      `json:"once,omitempty"`
	Seconds  int64     `json:"seconds,omitempty"`
	By       string    `json:"by"` // the name in the People documents, or the policy that decided when nobody had
	At       time.Time `json:"at"` // when it was decided
	Rule     string    `json:"rule,omitempty"`
	Policy   string    `json:"policy,omitempty"`
	Issued   time.Time `json:"issued"`
	Record   Anchor    `json:"record"`
	Key      string    `json:"key"`
}

// SignedReceipt is a receipt as it was read, with a signature that Check has yet to look at.
type SignedReceipt struct {
	Receipt
	payload   []byte
	signature []byte
}

// ErrForged is what Check answers for a receipt that this key did not sign.
var ErrForged = errors.New("the receipt was not signed with this key")

const (
	receiptTitle = "drawbridge-receipt v1"
	receiptLine  = 64
	maxReceipt   = 64 << 10
)

// alphabet has no character that any desk takes for markup, and no case to be changed.
var alphabet = base32.StdEncoding.WithPadding(base32.NoPadding)

// Sign gives the text of a receipt: a title, the receipt in letters and digits up to a full stop, the signature.
func (r Receipt) Sign(key ed25519.PrivateKey) (string, error) {
	r.Key = keyIDOf(key)
	payload, err := r.payload()
	if err != nil {
		return "", err
	}
	s := SignedReceipt{Receipt: r, payload: payload, signature: ed25519.Sign(key, receiptStatement(payload))}
	return s.Text(), nil
}

func (r Receipt) payload() ([]byte, error) {
	r.At, r.Issued = r.At.UTC().Truncate(time.Millisecond), r.Issued.UTC().Truncate(time.Millisecond)
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(r); err != nil {
		return nil, fmt.Errorf("write receipt: %w", err)
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}

// receiptStatement is what the signature of a receipt says.
func receiptStatement(payload []byte) []byte { return append([]byte(receiptTitle+"\n"), payload...) }

// Text is the receipt as Sign wrote it.
func (s SignedReceipt) Text() string {
	var b strings.Builder
	b.WriteString(receiptTitle)
	for _, part := range []string{alphabet.EncodeToString(s.payload) + ".", alphabet.EncodeToString(s.signature)} {
		for len(part) > 0 {
			n := min(len(part), receiptLine)
			b.WriteString("\n" + part[:n])
			part = part[n:]
		}
	}
	return b.String()
}

// Check tells whether the key signed the receipt.
func (s SignedReceipt) Check(key ed25519.PublicKey) error {
	if s.Key != KeyID(key) || !ed25519.Verify(key, receiptStatement(s.payload), s.signature) {
		return ErrForged
	}
	return nil
}

// ParseReceipt finds the receipt in a text, a whole comment for instance. Spaces, line ends and the backslashes of
// Markdown may stand anywhere in it. What it says is not to be believed before Check.
func ParseReceipt(text string) (SignedReceipt, error) {
	var s SignedReceipt
	if len(text) > maxReceipt {
		return s, fmt.Errorf("read receipt: the text is longer than %d KiB", maxReceipt>>10)
	}
	squeezed := strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) || r == '\\' {
			return -1
		}
		return r
	}, text)
	_, rest, found := strings.Cut(squeezed, strings.ReplaceAll(receiptTitle, " ", ""))
	if !found {
		return s, fmt.Errorf("read receipt: there is no line %q", receiptTitle)
	}
	payload, rest, found := strings.Cut(rest, ".")
	length := alphabet.EncodedLen(ed25519.SignatureSize)
	if !found || len(rest) < length {
		return s, errors.New("read receipt: it is cut short")
	}
	var err error
	if s.payload, err = decode(payload); err == nil {
		s.signature, err = decode(rest[:length])
	}
	if err != nil {
		return s, err
	}
	d := json.NewDecoder(bytes.NewReader(s.payload))
	d.DisallowUnknownFields()
	if err := d.Decode(&s.Receipt); err != nil {
		return s, errors.New("read receipt: it is not one that Drawbridge writes")
	}
	if again, err := s.Receipt.payload(); err != nil || !bytes.Equal(again, s.payload) {
		return s, errors.New("read receipt: it is not one that Drawbridge writes")
	}
	return s, nil
}

// decode takes the one spelling there is for each value.
func decode(text string) ([]byte, error) {
	raw, err := alphabet.DecodeString(text)
	if err != nil || alphabet.EncodeToString(raw) != text {
		return nil, errors.New("read receipt: a character is wrong")
	}
	return raw, nil
}

const kindReceipt = "receipt.issued"

// Revoked is the outcome a receipt states when granted access was taken back.
const Revoked = "revoked"

// issued is what the record keeps of a receipt. By makes an erasure find it.
type issued struct {
	Decision string `json:"decision"`
	Outcome  string `json:"outcome"`
	By       string `json:"by"`
	Text     string `json:"text"`
}

// Issue gives the receipt of a decision and records that it did, in the transaction that records the decision or what
// became of it. A decision has one receipt: asked again, the same is given. That it was taken back (Revoked) has another.
// Without a signing key there is none, and the text is empty.
func Issue(ctx context.Context, tx *store.Tx, key ed25519.PrivateKey, d store.Decision, now time.Time) (string, error) {
	text, err := ReceiptOf(ctx, tx.Queries, d.CaseID, d.Outcome)
	if err == nil || !errors.Is(err, store.ErrNotFound) || key == nil {
		return text, ignoring(err, store.ErrNotFound)
	}
	caze, err := tx.Case(ctx, d.CaseID)
	if err != nil {
		return "", err
	}
	head, err := tx.Head(ctx)
	if err != nil {
		return "", err
	}
	r := Receipt{
		ID: store.NewID(), Decision: d.ID, Case: d.CaseID, Source: caze.Connection, Tenant: caze.Tenant, Request: caze.RequestID,
		Outcome: d.Outcome, Once: d.Once, Seconds: int64(d.Length / time.Second), By: cmp.Or(d.By, d.ByName), At: d.At,
		Rule: versioned(d.Rule, d.RuleVersion), Policy: versioned(d.Policy, d.PolicyVersion),
		Issued: now, Record: Anchor{head.N, head.Chain},
	}
	if text, err = r.Sign(key); err != nil {
		return "", err
	}
	return text, tx.Record(ctx, store.Entry{At: now, CaseID: d.CaseID, Kind: kindReceipt, Subject: r.ID, Content: issued{d.ID, d.Outcome, d.By, text}})
}

// ReceiptOf reads the receipt that was given in a case for its decision's outcome, or for Revoked; store.ErrNotFound when
// there is none, or none any more.
func ReceiptOf(ctx context.Context, q store.Queries, caseID, outcome string) (string, error) {
	entries, err := q.RecordOfCase(ctx, caseID)
	if err != nil {
		return "", err
	}
	for _, e := range entries {
		content, _ := e.Content.(json.RawMessage)
		var given issued
		if e.Kind == kindReceipt && json.Unmarshal(content, &given) == nil && given.Outcome == outcome {
			return given.Text, nil
		}
	}
	return "", store.ErrNotFound
}

func versioned(name string, version int64) string {
	if name == "" {
		return ""
	}
	return name + "@" + strconv.FormatInt(version, 10)
}

func ignoring(err, harmless error) error {
	if errors.Is(err, harmless) {
		return nil
	}
	return err
}
