// Package audit makes the record tamper-evident and answers for it.
//
// Every step writes an entry to the record, with a salted digest of what it says (store.Entry). The Sealer, one among
// all replicas, numbers entries without a gap and chains them: each chain is a hash over the chain before, the
// entry's number, id, time, kind, case and digest. It signs how far it has got (the head) and keeps one such
// signature a day, and one where retention cut the record off (checkpoints).
//
//	entry ─▶ digest ─┐
//	chain n-1 ───────┴▶ chain n ─▶ head, checkpoints (signed) ─▶ receipts (signed), on tickets
//
// Verify follows the chain and says which row is the first that is not as it was recorded. What holds it together
// lies in three places, so that changing the database alone is not enough: the rows, the key, which is sealed with a
// key outside of the database and whose public half is noted there, and the receipts, which are at the desks.
//
// An erasure takes salt and content, which the chain does not need: what is left of an entry says when something
// happened in which case and of what kind, nothing about whom, and its digest can no longer be tried against guesses. The
// entry that says what was erased is signed, so that nobody else can pass an emptied row off as erased.
//
// Read key.go and seal.go, then verify.go, receipt.go and erase.go; report.go and export.go read what was recorded.
package audit
