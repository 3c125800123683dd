// The thread that runs a context's steps.
//
// Go's scheduler takes a call into C for a system call that is about to return: while it lasts,
// Go's monitor thread wakes every 20 microseconds to see whether it has, and for longer than most
// decoding steps take (runtime/proc.go, sysmon and retake; 10 ms). Where as many threads compute as
// there are cores, each of these wakes takes a core from one of them, and all the others wait for
// it at the next barrier: 84 context switches a token, 4 % of its time. So a step is posted to a
// thread that Go does not know, and Go waits for it as it waits for a socket.
#include "shim_internal.h"

#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/eventfd.h>

#include <cerrno>

struct aigw::worker {
	pthread_t thread{};
	sem_t wanted{};
	int done = -1;
	int32_t code = AIGW_OK;
	bool quit = false; // written before wanted is posted
};

namespace {

void *work(void *data) {
	auto *c = (aigw_context *)data;
	aigw::worker *w = c->worker;
	for (;;) {
		while (sem_wait(&w->wanted) != 0 && errno == EINTR) {}
		if (w->quit) return nullptr;
		w->code = aigw_step_run(c);
		eventfd_write(w->done, 1); // the counter is read before the next post: it cannot be full
	}
}

} // namespace

const char *aigw::start_worker(aigw_context *c, int done) {
	std::unique_ptr<aigw::worker> w(new aigw::worker);
	w->done = done;
	sem_init(&w->wanted, 0, 0);
	c->worker = w.get();
	// Signals are for Go's threads. Those that a fault of this one raises cannot be kept away.
	sigset_t all, before;
	sigfillset(&all);
	for (int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGPROF}) sigdelset(&all, fault);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	const int failed = pthread_create(&w->thread, nullptr, work, c);
	pthread_sigmask(SIG_SETMASK, &before, nullptr);
	if (failed) {
		sem_destroy(&w->wanted);
		c->worker = nullptr;
		return "the thread of the context could not be made";
	}
	pthread_setname_np(w->thread, "aigw-step");
	w.release();
	return nullptr;
}

void aigw::stop_worker(aigw_context *c) {
	aigw::worker *w = c->worker;
	if (!w) return;
	w->quit = true;
	sem_post(&w->wanted);
	pthread_join(w->thread, nullptr);
	sem_destroy(&w->wanted);
	delete w;
	c->worker = nullptr;
}

void aigw_step_post(aigw_context *c) { sem_post(&c->worker->wanted); }

int32_t aigw_step_code(const aigw_context *c) { return c->worker->code; }
