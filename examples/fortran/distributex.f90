! SPDX-License-Identifier: MIT
! distributex.f90 - the library's calls for Fortran programs
!
! Compile it beside your program; each procedure is the one of distributex.h,
! whose comments tell what it does. Names are C strings: "row" // c_null_char.
module distributex
    use, intrinsic :: iso_c_binding
    implicit none

    integer(c_int), parameter :: DTX_I64 = 0, DTX_U64 = 1, DTX_F64 = 2
    integer(c_int), parameter :: DTX_SUM = 0, DTX_MIN = 1, DTX_MAX = 2

    interface
        integer(c_int) function dtx_init(options) bind(c)
            import :: c_int, c_char
            character(kind=c_char), intent(in) :: options(*)
        end function
        integer(c_int) function dtx_finalize() bind(c)
            import :: c_int
        end function
        integer(c_int) function dtx_rank() bind(c)
            import :: c_int
        end function
        integer(c_int) function dtx_ranks() bind(c)
            import :: c_int
        end function
        ! A kernel: integer(c_int) function f(call, index) bind(c)
        !     type(c_ptr), value :: call
        !     integer(c_int64_t), value :: index
        integer(c_int) function dtx_kernel_each(name, kernel) bind(c)
            import :: c_int, c_char, c_funptr
            character(kind=c_char), intent(in) :: name(*)
            type(c_funptr), value :: kernel
        end function
        type(c_ptr) function dtx_call_value(call, k) bind(c)
            import :: c_ptr, c_int
            type(c_ptr), value :: call
            integer(c_int), value :: k
        end function
        type(c_ptr) function dtx_call_result(call, index) bind(c)
            import :: c_ptr, c_int64_t
            type(c_ptr), value :: call
            integer(c_int64_t), value :: index
        end function
        type(c_ptr) function dtx_call_args(call, bytes) bind(c)
            import :: c_ptr, c_size_t
            type(c_ptr), value :: call
            integer(c_size_t), intent(out) :: bytes
        end function
        integer(c_int) function dtx_for(kernel, first, end, args, bytes) bind(c)
            import :: c_int, c_char, c_int64_t, c_ptr, c_size_t
            character(kind=c_char), intent(in) :: kernel(*)
            integer(c_int64_t), value :: first, end
            type(c_ptr), value :: args
            integer(c_size_t), value :: bytes
        end function
        type(c_ptr) function dtx_work_create(kernel) bind(c)
            import :: c_ptr, c_char
            character(kind=c_char), intent(in) :: kernel(*)
        end function
        subroutine dtx_work_destroy(work) bind(c)
            import :: c_ptr
            type(c_ptr), value :: work
        end subroutine
        integer(c_int) function dtx_work_reduce(work, kind, op, value, n) &
                bind(c)
            import :: c_int, c_ptr, c_size_t
            type(c_ptr), value :: work, value
            integer(c_int), value :: kind, op
            integer(c_size_t), value :: n
        end function
        integer(c_int) function dtx_work_gather(work, results, bytes) bind(c)
            import :: c_int, c_ptr, c_size_t
            type(c_ptr), value :: work, results
            integer(c_size_t), value :: bytes
        end function
        integer(c_int) function dtx_work_for(work, first, end, args, bytes) &
                bind(c)
            import :: c_int, c_int64_t, c_ptr, c_size_t
            type(c_ptr), value :: work, args
            integer(c_int64_t), value :: first, end
            integer(c_size_t), value :: bytes
        end function
    end interface
end module
