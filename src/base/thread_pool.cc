// SPDX-License-Identifier: Apache-2.0
#include "base/thread_pool.h"

#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <exception>
#include <memory>

namespace varve::base {

void name_this_thread(const std::string& name) {
  ::pthread_setname_np(::pthread_self(), name.substr(0, 15).c_str());
}

void make_this_thread_low_priority() {
  sched_param parameters{};
  (void)::pthread_setschedparam(::pthread_self(), SCHED_BATCH, &parameters);
  // On Linux a priority is a thread's own.
  constexpr int kNice = 15;
  (void)::setpriority(PRIO_PROCESS, static_cast<id_t>(::syscall(SYS_gettid)), kNice);
}

ThreadPool::ThreadPool(std::string name, std::size_t threads, std::size_t queue_max)
    : queue_max_(queue_max) {
  threads_.reserve(threads);
  for (std::size_t i = 0; i < threads; ++i) {
    threads_.emplace_back([this, thread_name = name + std::to_string(i)] {
      name_this_thread(thread_name);
      run();
    });
  }
}

ThreadPool::~ThreadPool() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

bool ThreadPool::try_post(std::function<void()> task) { return post({std::move(task)}); }

bool ThreadPool::post(Task task) {
  bool has_thread = false;
  {
    const std::lock_guard lock(mutex_);
    if (stopping_ || queue_.size() >= queue_max_) return false;
    queue_.push_back(std::move(task));
    // Otherwise whoever is done first takes it.
    has_thread = busy_ + queue_.size() <= threads_.size();
  }
  if (has_thread) wake_.notify_one();
  return true;
}

bool ThreadPool::keeps_up() const {
  const std::lock_guard lock(mutex_);
  return busy_ + queue_.size() <= threads_.size();
}

bool ThreadPool::try_join() {
  const std::lock_guard lock(mutex_);
  if (stopping_ || busy_ + queue_.size() >= threads_.size()) return false;
  ++busy_;
  return true;
}

void ThreadPool::leave() {
  bool waited_for = false;
  {
    const std::lock_guard lock(mutex_);
    --busy_;
    waited_for = !queue_.empty();
  }
  if (waited_for) wake_.notify_one();
}

void ThreadPool::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] {
      return stopping_ || (!queue_.empty() && busy_ < threads_.size());
    });
    if (queue_.empty()) return;
    Task task = std::move(queue_.front());
    queue_.pop_front();
    ++busy_;
    lock.unlock();
    task.run();
    task.run = nullptr;
    lock.lock();
    --busy_;
  }
}

void ThreadPool::withdraw(const void* job) {
  const std::lock_guard lock(mutex_);
  std::erase_if(queue_, [job](const Task& task) { return task.job == job; });
}

void ThreadPool::parallel_for(std::size_t count, const std::function<void(std::size_t)>& body) {
  struct Job {
    const std::function<void(std::size_t)>* body;
    std::size_t count;
    std::atomic<std::size_t> next{0};
    std::mutex mutex;  // guards done, failure and body's lifetime
    std::condition_variable finished;
    std::size_t done = 0;
    std::exception_ptr failure;

    void work() {
      std::size_t completed = 0;
      std::exception_ptr thrown;
      for (std::size_t i = next.fetch_add(1); i < count; i = next.fetch_add(1)) {
        try {
          (*body)(i);
        } catch (...) {
          thrown = std::current_exception();
        }
        ++completed;
      }
      if (completed == 0) return;
      const std::lock_guard lock(mutex);
      if (thrown != nullptr) failure = std::move(thrown);
      done += completed;
      if (done == count) finished.notify_all();
    }
  };
  if (count == 0) return;
  auto job = std::make_shared<Job>();
  job->body = &body;
  job->count = count;
  const std::size_t helpers = std::min(count - 1, threads_.size());
  for (std::size_t i = 0; i < helpers; ++i) {
    // A helper that starts after all indices are taken touches only the job, which it shares.
    if (!post({[job] { job->work(); }, job.get()})) break;
  }
  job->work();
  withdraw(job.get());  // helpers that nobody has had time for
  std::unique_lock lock(job->mutex);
  job->finished.wait(lock, [&] { return job->done == count; });
  if (job->failure != nullptr) std::rethrow_exception(job->failure);
}

}  // namespace varve::base
