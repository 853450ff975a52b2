package memo_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/memo"
)

func TestQuestionsSideBySideShareOneAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m memo.Of[int]
		asked, answer := 0, make(chan int)
		got := make(chan int, 3)
		for range cap(got) {
			go func() {
				v, _ := m.Get(t.Context(), func() (int, error) { asked++; return <-answer, nil })
				got <- v
			}()
		}
		answer <- 7
		for range cap(got) {
			if v := <-got; v != 7 {
				t.Errorf("got %d, want 7", v)
			}
		}
		if asked != 1 {
			t.Errorf("asked %d times, want once", asked)
		}
	})
}

func TestAnErrorIsRememberedUntilForget(t *testing.T) {
	var m memo.Of[string]
	refused := errors.New("refused")
	if v, asked := m.Peek(); asked {
		t.Errorf("Peek before the question = %q, asked", v)
	}
	_, _ = m.Get(t.Context(), func() (string, error) { return "", refused })
	again := func() (string, error) { return "yes", nil }
	if v, err := m.Get(t.Context(), again); v != "" || !errors.Is(err, refused) {
		t.Errorf("remembered %q, %v, want the error", v, err)
	}
	if _, asked := m.Peek(); !asked {
		t.Error("Peek does not know of the question")
	}
	m.Forget()
	if v, err := m.Get(t.Context(), again); v != "yes" || err != nil {
		t.Errorf("after Forget %q, %v, want yes", v, err)
	}
}

func TestAnInterruptedAnswerIsNotRemembered(t *testing.T) {
	var m memo.Of[int]
	ctx, cancel := context.WithCancel(t.Context())
	_, _ = m.Get(ctx, func() (int, error) { cancel(); return 1, ctx.Err() })
	if v, err := m.Get(t.Context(), func() (int, error) { return 2, nil }); v != 2 || err != nil {
		t.Errorf("got %d, %v, want 2", v, err)
	}
}

func TestKeysDoNotWaitForEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b memo.ByKey[string, int]
		slow := make(chan int)
		done := make(chan int)
		go func() {
			v, _ := b.Get(t.Context(), "slow", func() (int, error) { return <-slow, nil })
			done <- v
		}()
		synctest.Wait()
		if v, _ := b.Get(t.Context(), "quick", func() (int, error) { return 1, nil }); v != 1 {
			t.Errorf("quick = %d, want 1", v)
		}
		slow <- 2
		if v := <-done; v != 2 {
			t.Errorf("slow = %d, want 2", v)
		}
		b.Forget()
		if v, _ := b.Get(t.Context(), "quick", func() (int, error) { return 3, nil }); v != 3 {
			t.Errorf("quick after Forget = %d, want 3", v)
		}
	})
}
