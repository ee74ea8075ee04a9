! SPDX-License-Identifier: MIT
! collatz - which number below N takes the most steps down to 1
!
!     mpirun -n 4 collatz
!
! A loop in Fortran: the kernel is a function with bind(c), the longest walk a
! reduced value.
module kernels
    use, intrinsic :: iso_c_binding
    use distributex
    implicit none
contains
    integer(c_int) function walk(call, index) bind(c)
        type(c_ptr), value :: call
        integer(c_int64_t), value :: index
        integer(c_int64_t), pointer :: longest(:)
        integer(c_int64_t) :: n, steps

        n = index
        steps = 0
        do while (n /= 1)
            if (mod(n, 2_c_int64_t) == 0) then
                n = n / 2
            else
                n = 3 * n + 1
            end if
            steps = steps + 1
        end do
        call c_f_pointer(dtx_call_value(call, 0), longest, [1])
        longest(1) = max(longest(1), steps)
        walk = 0
    end function
end module

program collatz
    use, intrinsic :: iso_c_binding
    use distributex
    use kernels
    implicit none

    integer(c_int64_t), target :: longest(1)
    type(c_ptr) :: work

    call check(dtx_init(c_null_char))
    call check(dtx_kernel_each("walk" // c_null_char, c_funloc(walk)))
    work = dtx_work_create("walk" // c_null_char)
    if (.not. c_associated(work)) error stop 2
    call check(dtx_work_reduce(work, DTX_I64, DTX_MAX, c_loc(longest), &
                               1_c_size_t))
    call check(dtx_work_for(work, 1_c_int64_t, 1000000_c_int64_t, c_null_ptr, &
                            0_c_size_t))
    if (dtx_rank() == 0) print '(a, i0, a)', &
        "below 1000000 the longest walk has ", longest(1), " steps"
    call dtx_work_destroy(work)
    call check(dtx_finalize())
    if (longest(1) /= 524) error stop 1
contains
    subroutine check(code)
        integer(c_int), intent(in) :: code
        if (code < 0) error stop 2
    end subroutine
end program
